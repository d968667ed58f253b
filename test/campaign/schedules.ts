/** Random schedules of the whole pipeline against an oracle: as many as asked for, each repeatable by its seed, failures shrunk. */
import fc from "fast-check";
import { type ChoiceList, type Choices, randomChoices, replayChoices } from "../kit/faults/choices.ts";
import type { Step } from "../kit/faults/turns.ts";
import { Random } from "../kit/random.ts";
import { castAll } from "./actors.ts";
import { Calm } from "./calm.ts";
import { type Played, Stage } from "./stage.ts";
import type { StoreKind, Stores } from "./stores.ts";
import { makeWorld } from "./world.ts";

/** Schedules that share a world: what it comes to in peace is worked out once. */
const SCHEDULES_A_WORLD = 25;

export interface Failure {
  /** Repeats it: `playSchedule(seed, stores)`. */
  readonly seed: number;
  readonly why: string;
  /** The shortest list of choices found that still fails, and what happens then. */
  readonly choices: ChoiceList;
  readonly trace: readonly string[];
}

let last: Calm | undefined;

function calmOf(seed: number): Calm {
  const worldSeed = Math.floor(seed / SCHEDULES_A_WORLD);
  if (last?.world.seed !== worldSeed) last = new Calm(makeWorld(worldSeed));
  return last;
}

/** Plays schedule `seed` once, or other choices in its world. `why` is undefined when all laws hold. */
async function playSchedule(
  seed: number,
  { open, turns }: Stores,
  given?: ChoiceList,
): Promise<Played & { why: string | undefined; choices: Choices }> {
  const random = new Random(seed);
  // A few long ones: some faults need a past.
  const length = random.between(20, turns) * (random.chance(0.1) ? 4 : 1);
  const choices = given ? replayChoices(given) : randomChoices(random, length);
  const played: Played = { steps: [], answers: 0 };
  try {
    const stage = new Stage({ calm: calmOf(seed), open: (clock) => open(clock, seed), choices, played });
    castAll(stage);
    await stage.play();
    return { ...played, why: undefined, choices };
  } catch (error) {
    return { ...played, why: describe(error), choices };
  }
}

/** Looks for the simplest schedule in the same world that breaks a law too. */
async function shrink(
  seed: number,
  stores: Stores,
  first: Awaited<ReturnType<typeof playSchedule>>,
  withinMs: number,
): Promise<Failure> {
  let simplest = first;
  const [settings = [], ...turns] = first.choices.taken;
  const number = fc.nat(999);
  const law = fc.asyncProperty(
    fc.array(number, { maxLength: MOST_PICKS }),
    fc.array(fc.array(number, { maxLength: MOST_PICKS }), { maxLength: turns.length, size: "max" }),
    async (setup, choices) => {
      const failed = await playSchedule(seed, stores, [setup, ...choices]);
      if (failed.why === undefined) return;
      simplest = failed;
      throw new Error(failed.why);
    },
  );
  await fc.check(law, {
    numRuns: 1,
    examples: [[[...settings], turns.map((turn) => [...turn])]],
    interruptAfterTimeLimit: withinMs,
  });
  return {
    seed,
    why: simplest.why ?? "",
    choices: simplest.choices.taken.map(trimmed),
    trace: simplest.steps.map(line),
  };
}

/** In the setting up or in one step. */
const MOST_PICKS = 100;
const SHRINK_MS = 20_000;

export interface Run {
  readonly seed: number;
  /** Played at most. */
  readonly schedules: number;
  readonly stores: Stores;
  readonly hasTime?: () => boolean;
  /** How long to look for a simpler schedule when one fails. */
  readonly shrinkMs?: number;
}

export interface RunResult {
  readonly played: number;
  /** Answers that were judged while things went on. */
  readonly answers: number;
  readonly failure: Failure | undefined;
}

/** Plays schedules seed, seed + 1 and so on, until the count or the time is reached or one fails. */
export async function runSchedules({
  seed,
  schedules,
  stores,
  hasTime = () => true,
  shrinkMs = SHRINK_MS,
}: Run): Promise<RunResult> {
  let played = 0;
  let answers = 0;
  while (played < schedules && hasTime()) {
    const outcome = await playSchedule(seed + played, stores);
    answers += outcome.answers;
    if (outcome.why !== undefined)
      return { played: played + 1, answers, failure: await shrink(seed + played, stores, outcome, shrinkMs) };
    played++;
  }
  return { played, answers, failure: undefined };
}

/** What somebody needs who wants to see it again and mend it. */
export const explain = ({ seed, why, choices, trace }: Failure, store: StoreKind): string[] => [
  why,
  `see it again: RIVULET_SEED=${seed} npm run campaign -- --schedules 1 --store ${store}`,
  `shrunk to ${trace.length} steps, choices ${JSON.stringify(choices)}`,
  ...trace.map((line) => `  ${line}`),
];

/** A partition key holds a whole user agent: its beginning is enough to tell it from others. */
const MOST_KEY_CHARS = 50;
const line = ({ actor, call, fate }: Step): string =>
  `${actor}: ${call.name} ${call.key.slice(0, MOST_KEY_CHARS)}${fate === "pass" ? "" : ` -> ${fate}`}`;

const trimmed = (choices: readonly number[]): number[] =>
  choices.slice(0, choices.findLastIndex((it) => it !== 0) + 1);

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === "Broken" ? error.message : (error.stack ?? error.message);
}
