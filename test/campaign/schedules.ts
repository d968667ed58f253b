/** Random schedules of the whole pipeline against an oracle: as many as asked for, each repeatable by its seed, failures shrunk. */
import fc from "fast-check";
import { memoryStore } from "../../processors/stores/memory.ts";
import type { Store } from "../../processors/stores/store.ts";
import { type ChoiceList, type Choices, randomChoices, replayChoices } from "../kit/faults/choices.ts";
import type { Step } from "../kit/faults/turns.ts";
import { Random } from "../kit/random.ts";
import { Calm } from "./judge.ts";
import { play } from "./stage.ts";
import { makeWorld } from "./world.ts";

/** Schedules that share a world: what it comes to in peace is worked out once. */
const SCHEDULES_A_WORLD = 25;

export type Open = (clock: { now(): number }) => Store;

export interface Failure {
  /** Repeats it: `playSchedule(seed, open)`. */
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
  open: Open = (clock) => memoryStore({ clock }),
  given?: ChoiceList,
): Promise<{ why: string; choices: Choices; steps: Step[] } | undefined> {
  const random = new Random(seed);
  const choices = given ? replayChoices(given) : randomChoices(random, random.between(20, 250));
  const steps: Step[] = [];
  try {
    await play({ calm: calmOf(seed), open, choices }, steps);
    return undefined;
  } catch (error) {
    return { why: describe(error), choices, steps };
  }
}

/** Plays a schedule; when a law is broken, looks for the simplest schedule in the same world that breaks one. */
export async function trySchedule(seed: number, open?: Open): Promise<Failure | undefined> {
  const first = await playSchedule(seed, open);
  if (!first) return undefined;
  let simplest = first;
  const [settings = [], ...turns] = first.choices.taken;
  const number = fc.nat(999);
  const law = fc.asyncProperty(
    fc.array(number, { maxLength: 20 }),
    fc.array(fc.array(number, { maxLength: 20 }), { maxLength: turns.length, size: "max" }),
    async (setup, choices) => {
      const failed = await playSchedule(seed, open, [setup, ...choices]);
      if (!failed) return;
      simplest = failed;
      throw new Error(failed.why);
    },
  );
  await fc.check(law, {
    numRuns: 1,
    examples: [[[...settings], turns.map((turn) => [...turn])]],
    interruptAfterTimeLimit: SHRINK_MS,
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

const trimmed = (choices: readonly number[]): number[] =>
  choices.slice(0, choices.findLastIndex((it) => it !== 0) + 1);

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === "Broken" ? error.message : (error.stack ?? error.message);
}
