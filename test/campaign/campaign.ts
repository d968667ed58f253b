/**
 * `npm run campaign`: drills on the shipped server, replays of random traffic, random questions, and random schedules
 * of the pipeline, in turn, until the budget is spent; from 300 s on, first an hour of the dashboard and its pictures. RIVULET_SEED repeats a run, RIVULET_BUDGET_S (default 120) bounds it. Ends with 1 on
 * any loss or double. `npm run campaign -- --schedules 10000 --store sqlite` plays schedules alone, as many as asked for;
 * `npm run campaign -- --queries 100000` asks random questions alone, of a hundred thousand events, within the budget.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { launchBrowser } from "../kit/browser.ts";
import { type ServerProcess, startServer } from "../kit/server.ts";
import { hourLine, watchHour } from "./hour.ts";
import { drill } from "./kill.ts";
import { makeSchedule, makeTrial, trySchedule } from "./law.ts";
import { askAtRandom } from "./queries.ts";
import { explain, runSchedules } from "./schedules.ts";
import { takePictures } from "./screens.ts";
import { STORE_KINDS, type StoreKind, startStores } from "./stores.ts";

const seed = Number(process.env.RIVULET_SEED ?? Math.floor(Math.random() * 1_000_000_000));
const budgetMs = Number(process.env.RIVULET_BUDGET_S ?? 120) * 1_000;
if (!Number.isSafeInteger(seed)) throw new RangeError(`RIVULET_SEED: not a whole number`);
if (!(budgetMs > 0)) throw new RangeError(`RIVULET_BUDGET_S: not a number of seconds`);

const {
  schedules: asked,
  queries: questions,
  events: eventCount,
  store: storeName,
} = parseArgs({
  options: {
    schedules: { type: "string" },
    queries: { type: "string" },
    events: { type: "string", default: "100000" },
    store: { type: "string", default: "memory" },
  },
}).values;
const storeKind = STORE_KINDS.find((kind) => kind === storeName);
if (!storeKind) throw new RangeError(`--store: one of ${STORE_KINDS.join(", ")}, got ${storeName}`);
const countOf = (name: string, text: string): number => {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new RangeError(`--${name}: not a number of ${name}: ${text}`);
};
const schedulesAsked = asked === undefined ? undefined : countOf("schedules", asked);
const queriesAsked = questions === undefined ? undefined : countOf("queries", questions);
const eventsAsked = countOf("events", eventCount);

const startedAt = performance.now();
const hasTime = (): boolean => performance.now() - startedAt < budgetMs;

/** Sites are registered at the start, so that no round has to wait for another start. */
const SITES_A_SERVER = 100;
const REPLAYS_A_ROUND = 8;
const QUESTIONS_A_ROUND = { count: 150, events: 1_000 };
/** By store; a schedule takes some milliseconds, over DynamoDB's double about a second. */
const SCHEDULES_A_ROUND: ReadonlyArray<readonly [StoreKind, number]> = [
  ["dynamodb", 2],
  ["memory", 150],
  ["sqlite", 50],
];
/** An hour of the dashboard is a minute; its pictures may take half of what is left. */
const DASHBOARD_MS = 300_000;
/** Of one recording in one time zone. */
const QUERIES_A_RECORDING = 15_000;
let problems = 0;
let schedules = 0;
const MOST_LINES = 100;
const report = (line: string, found: readonly string[]): void => {
  if (found.length > 0) problems++;
  console.log(found.length === 0 ? line : `${line} FAILED`);
  for (const problem of found.slice(0, MOST_LINES)) console.log(`    ${problem}`);
};

console.log(`RIVULET_SEED=${seed} RIVULET_BUDGET_S=${budgetMs / 1_000}`);
if (schedulesAsked !== undefined) {
  const step = storeKind === "dynamodb" ? 20 : 1_000;
  for (let from = 0; from < schedulesAsked; from += step)
    await playSchedules(storeKind, seed + from, Math.min(step, schedulesAsked - from), () => true);
  process.exit(end());
}
if (queriesAsked !== undefined) {
  let done = 0;
  for (let at = seed; done < queriesAsked && hasTime(); at++) {
    const began = performance.now();
    const count = Math.min(QUERIES_A_RECORDING, queriesAsked - done);
    const of = await askAtRandom(at, { count, events: eventsAsked, hasTime });
    done += of.asked;
    const seconds = ((performance.now() - began) / 1_000).toFixed(1);
    report(
      `${of.asked} queries of ${eventsAsked} events in ${of.zone} in ${seconds} s, ${of.approximate} approximate (seed ${at})`,
      of.problems,
    );
  }
  console.log(`${done} of ${queriesAsked} queries`);
  process.exit(end());
}

if (budgetMs >= DASHBOARD_MS) await lookAtDashboard();
else
  console.log(
    `the dashboard's pictures and hour: skipped, they want RIVULET_BUDGET_S=${DASHBOARD_MS / 1_000}`,
  );

const data = await mkdtemp(join(tmpdir(), "rivulet-campaign-"));
let server: ServerProcess | undefined;
let rounds = 0;
let kills = 0;
let acknowledged = 0;
let replays = 0;
let questionsAnswered = 0;
try {
  const site = (round: number): string => `round-${round}`;
  for (; hasTime(); rounds++) {
    if (rounds % SITES_A_SERVER === 0) {
      await server?.stop();
      const names = Array.from({ length: SITES_A_SERVER }, (_, i) => ["--site", site(rounds + i)]).flat();
      server = await startServer({ data, args: names });
    }
    const drillSeed = seed + rounds;
    const drilled = await drill(server!, { data, site: site(rounds), seed: drillSeed });
    server = drilled.server;
    const { result } = drilled;
    kills += result.kills;
    acknowledged += result.acknowledged;
    report(
      `round ${rounds}: killed ${result.kills}x, ${result.acknowledged} batches acknowledged, ${result.unanswered} unanswered${result.retried ? " and sent again" : ""}, back in ${result.restartMs.toFixed(0)} ms (seed ${drillSeed})`,
      result.problems,
    );

    const trialSeed = seed + rounds * 1_000;
    const trial = await makeTrial(trialSeed);
    const failed: string[] = [];
    let tried = 0;
    for (; tried < REPLAYS_A_ROUND && hasTime(); tried++) {
      const schedule = makeSchedule(trialSeed + tried, trial);
      const different = await trySchedule(trial, schedule);
      if (different.length > 0)
        failed.push(`schedule ${tried} ${JSON.stringify(schedule)}: ${different.slice(0, 3).join("; ")}`);
    }
    replays += tried;
    report(`round ${rounds}: ${tried} replays of ${trial.lines.length} records (seed ${trialSeed})`, failed);

    const answered = await askAtRandom(drillSeed, { ...QUESTIONS_A_ROUND, hasTime });
    questionsAnswered += answered.asked;
    report(
      `round ${rounds}: ${answered.asked} questions in ${answered.zone} (seed ${drillSeed})`,
      answered.problems,
    );

    for (const [kind, count] of SCHEDULES_A_ROUND)
      await playSchedules(kind, seed + rounds * 1_000, count, hasTime);
  }
} finally {
  await server?.stop();
  await rm(data, { recursive: true, force: true });
}
console.log(
  `${rounds} rounds: ${kills} kills, ${acknowledged} acknowledged batches, ${replays} replays, ${questionsAnswered} questions, ${schedules} schedules`,
);
process.exitCode = end();

/** An hour of live traffic on the dashboard, and its pictures for whoever looks at them. */
async function lookAtDashboard(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "rivulet-screens-"));
  const browser = await launchBrowser();
  try {
    const hour = await watchHour(browser);
    report(hourLine(hour), hour.problems);
    const until = (performance.now() - startedAt + budgetMs) / 2;
    const { taken, problems } = await takePictures(
      browser,
      folder,
      () => performance.now() - startedAt < until,
    );
    report(`${taken} pictures of the dashboard in ${folder}`, problems);
  } finally {
    await browser.close();
  }
}

/** Plays schedules from a seed on, and tells of the first that breaks a law. */
async function playSchedules(
  store: StoreKind,
  from: number,
  count: number,
  mayGoOn: () => boolean,
): Promise<void> {
  const began = performance.now();
  const stores = await startStores(store);
  const { played, answers, failure } = await runSchedules({
    seed: from,
    schedules: count,
    stores,
    hasTime: mayGoOn,
  });
  await stores.close();
  schedules += played;
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  report(
    `${played} schedules over ${store} in ${seconds} s, ${answers} answers on the way (seeds ${from} to ${from + played - 1})`,
    failure ? explain(failure, store) : [],
  );
}

/** Says how to repeat what failed. */
function end(): number {
  console.log(`${problems} problems`);
  if (problems > 0) console.log(`repeat with RIVULET_SEED=${seed} npm run campaign`);
  return problems > 0 ? 1 : 0;
}
