/** Random schedules of the whole pipeline against an oracle: as many as asked for, each repeatable by its seed, failures shrunk. */
import fc from "fast-check";
import { type ChoiceList, type Choices, randomChoices, replayChoices } from "../kit/faults/choices.ts";
import type { Step } from "../kit/faults/turns.ts";
import { Random } from "../kit/random.ts";
import { Calm } from "./judge.ts";
import { play } from "./stage.ts";
import { type StoreKind, type Stores, startStores } from "./stores.ts";
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

/** Plays schedule `seed` once. Undefined when all laws hold. */
export async function playSchedule(
  seed: number,
  { open, turns }: Stores,
  given?: ChoiceList,
): Promise<{ why: string; choices: Choices; steps: Step[] } | undefined> {
  const random = new Random(seed);
  // A few long ones: some faults need a past.
  const length = random.between(20, turns) * (random.chance(0.1) ? 4 : 1);
  const choices = given ? replayChoices(given) : randomChoices(random, length);
  const steps: Step[] = [];
  try {
    await play({ calm: calmOf(seed), open: (clock) => open(clock, seed), choices }, steps);
    return undefined;
  } catch (error) {
    return { why: describe(error), choices, steps };
  }
}

/** Plays a schedule; when a law is broken, looks for the simplest schedule in the same world that breaks one. */
export async function trySchedule(
  seed: number,
  stores: Stores,
  shrinkMs = SHRINK_MS,
): Promise<Failure | undefined> {
  const first = await playSchedule(seed, stores);
  if (!first) return undefined;
  let simplest = first;
  const [settings = [], ...turns] = first.choices.taken;
  const number = fc.nat(999);
  const law = fc.asyncProperty(
    fc.array(number, { maxLength: 20 }),
    fc.array(fc.array(number, { maxLength: 20 }), { maxLength: turns.length, size: "max" }),
    async (setup, choices) => {
      const failed = await playSchedule(seed, stores, [setup, ...choices]);
      if (!failed) return;
      simplest = failed;
      throw new Error(failed.why);
    },
  );
  await fc.check(law, {
    numRuns: 1,
    examples: [[[...settings], turns.map((turn) => [...turn])]],
    interruptAfterTimeLimit: shrinkMs,
  });
  return {
    seed,
    why: simplest.why,
    choices: simplest.choices.taken.map(trimmed),
    trace: simplest.steps.map(
      ({ actor, call, fate }) => `${actor}: ${call.name} ${call.key}${fate === "pass" ? "" : ` -> ${fate}`}`,
    ),
  };
}

const SHRINK_MS = 20_000;

export interface Run {
  readonly seed: number;
  /** Played at most. */
  readonly schedules: number;
  readonly store: StoreKind;
  readonly hasTime: () => boolean;
}

/** Plays schedules seed, seed + 1 and so on, until the count or the time is reached or one fails. */
export async function runSchedules({
  seed,
  schedules,
  store,
  hasTime,
}: Run): Promise<{ played: number; failure: Failure | undefined }> {
  const stores = await startStores(store);
  try {
    let played = 0;
    let failure: Failure | undefined;
    for (; played < schedules && !failure && hasTime(); played++)
      failure = await trySchedule(seed + played, stores);
    return { played, failure };
  } finally {
    await stores.close();
  }
}

/** What somebody needs who wants to see it again and mend it. */
export const explain = ({ seed, why, choices, trace }: Failure, store: StoreKind): string[] => [
  why,
  `see it again: RIVULET_SEED=${seed} npm run campaign -- --schedules 1 --store ${store}`,
  `shrunk to ${trace.length} steps, choices ${JSON.stringify(choices)}`,
  ...trace.map((line) => `  ${line}`),
];

const trimmed = (choices: readonly number[]): number[] =>
  choices.slice(0, choices.findLastIndex((it) => it !== 0) + 1);

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === "Broken" ? error.message : (error.stack ?? error.message);
}
