/**
 * `npm run campaign`: drills on the shipped server and random schedules of the counting law, in turn, until the budget
 * is spent. RIVULET_SEED repeats a run, RIVULET_BUDGET_S (default 120) bounds it. Ends with 1 on any loss or double.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServerProcess, startServer } from "../kit/server.ts";
import { drill } from "./kill.ts";
import { makeSchedule, makeTrial, trySchedule } from "./law.ts";

const seed = Number(process.env.RIVULET_SEED ?? Math.floor(Math.random() * 1_000_000_000));
const budgetMs = Number(process.env.RIVULET_BUDGET_S ?? 120) * 1_000;
if (!Number.isSafeInteger(seed)) throw new RangeError(`RIVULET_SEED: not a whole number`);
if (!(budgetMs > 0)) throw new RangeError(`RIVULET_BUDGET_S: not a number of seconds`);

const startedAt = performance.now();
const hasTime = (): boolean => performance.now() - startedAt < budgetMs;

/** Sites are registered at the start, so that no round has to wait for another start. */
const SITES_A_SERVER = 100;
const SCHEDULES_A_ROUND = 8;
let problems = 0;
const report = (line: string, found: readonly string[]): void => {
  problems += found.length;
  console.log(found.length === 0 ? line : `${line} FAILED`);
  for (const problem of found.slice(0, 10)) console.log(`    ${problem}`);
};

console.log(`RIVULET_SEED=${seed} RIVULET_BUDGET_S=${budgetMs / 1_000}`);
const data = await mkdtemp(join(tmpdir(), "rivulet-campaign-"));
let server: ServerProcess | undefined;
let rounds = 0;
let kills = 0;
let acknowledged = 0;
let schedules = 0;
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
    for (; tried < SCHEDULES_A_ROUND && hasTime(); tried++) {
      const schedule = makeSchedule(trialSeed + tried, trial);
      const different = await trySchedule(trial, schedule);
      if (different.length > 0)
        failed.push(`schedule ${tried} ${JSON.stringify(schedule)}: ${different.slice(0, 3).join("; ")}`);
    }
    schedules += tried;
    report(
      `round ${rounds}: ${tried} schedules over ${trial.lines.length} records (seed ${trialSeed})`,
      failed,
    );
  }
} finally {
  await server?.stop();
  await rm(data, { recursive: true, force: true });
}
console.log(
  `${rounds} rounds: ${kills} kills, ${acknowledged} acknowledged batches, ${schedules} schedules; ${problems} problems`,
);
if (problems > 0) {
  console.log(`repeat with RIVULET_SEED=${seed} npm run campaign`);
  process.exitCode = 1;
}
