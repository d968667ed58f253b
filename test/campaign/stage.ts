/**
 * Plays one schedule: actors take turns at every call to the store or the stream, meet faults, die and are succeeded; then
 * everything is drained in peace. The judge looks on all the time.
 */
import { keyedHash } from "../../processors/crypto.ts";
import { isOutage } from "../../processors/errors.ts";
import { partitionKeyOf, type StreamLine } from "../../processors/model/streamfile.ts";
import { type Clock, DAY_MS } from "../../processors/model/time.ts";
import { type AggregateDeps, ShardWorker } from "../../processors/pipeline/aggregate.ts";
import { compact } from "../../processors/pipeline/compact.ts";
import { around } from "../../processors/stores/around.ts";
import type { Store } from "../../processors/stores/store.ts";
import { type MemoryStream, memoryStream } from "../../processors/streams/memory.ts";
import type { Stream } from "../../processors/streams/stream.ts";
import { type ManualClock, manualClock } from "../kit/clock.ts";
import type { Choices } from "../kit/faults/choices.ts";
import { type JumpingClock, jumpingClock } from "../kit/faults/clock.ts";
import type { Fate } from "../kit/faults/fate.ts";
import { faultyStore, LateWrites } from "../kit/faults/store.ts";
import { faultyStream } from "../kit/faults/stream.ts";
import { type Step, Turns, type Waiting } from "../kit/faults/turns.ts";
import { Random } from "../kit/random.ts";
import { type Calm, endOf, furnish } from "./calm.ts";
import { Judge, QUESTIONS } from "./judge.ts";
import { dataOf, type World } from "./world.ts";

/** What is written down of a schedule, however it ends. */
export interface Played {
  readonly steps: Step[];
  /** Answers that were judged before the end. */
  answers: number;
}

export interface StageOptions {
  readonly calm: Calm;
  /** Opens the store of this schedule, empty. Its expiry follows the clock given. */
  readonly open: (clock: Clock) => Store;
  readonly choices: Choices;
  readonly played: Played;
}

/** What one process has of its own. */
export interface Process {
  readonly clock: JumpingClock;
  readonly store: Store;
  readonly stream: Stream;
}

export type Act = (name: string) => Promise<void>;

const READ_FATES: readonly Fate[] = ["pass", "throttle", "fail", "crash"];
const WRITE_FATES: readonly Fate[] = ["pass", "throttle", "fail", "timeout", "hold", "crash", "crash-after"];
const STREAM_READ_FATES: readonly Fate[] = ["pass", "one", "nothing", "twice", "throttle", "crash"];
const STREAM_PUT_FATES: readonly Fate[] = ["pass", "timeout", "twice", "throttle", "fail"];

const fatesOf = (actor: string, { name, writes }: Waiting): readonly Fate[] => {
  if (name === "read" || name === "shards") return STREAM_READ_FATES;
  if (actor.startsWith("browser")) return STREAM_PUT_FATES;
  return writes ? WRITE_FATES : READ_FATES;
};

const MOST_TRIES = 20;
/** Chances that the actor goes on that went last, and that a call passes. */
const STAYS = [0.5, 0, 0.8, 0.93];
const CALMS = [0.97, 1, 0.9, 0.8];

export class Stage {
  readonly world: World;
  readonly choices: Choices;
  readonly clock: ManualClock;
  readonly stream: MemoryStream;
  /** The schedule's store without injected faults, for those who stand outside. */
  readonly steady: Store;
  readonly judge: Judge;
  readonly turns: Turns;
  readonly played: Played;
  /** Clocks of the processes that live, by name. */
  readonly clocks = new Map<string, JumpingClock>();
  /** Salts made on demand differ from run to run, and registers with them: then only what they count is compared. */
  readonly fixedSalts: boolean;
  /** What the browsers have not put yet, by partition key. */
  readonly waiting = new Map<string, StreamLine[]>();
  readonly #store: Store;
  readonly #late = new LateWrites();
  readonly #landings: number[];
  readonly #lastQuestion: (typeof QUESTIONS)[number];
  readonly #salts: Random;
  readonly #toStart: { readonly name: string; readonly act: Act }[] = [];
  #held = 0;

  constructor({ calm, open, choices, played }: StageOptions) {
    const { world } = calm;
    this.world = world;
    this.choices = choices;
    this.played = played;
    this.clock = manualClock(world.lines[0]!.arrival);
    this.turns = new Turns({
      choices,
      stay: STAYS[choices.pick(STAYS.length, 0.25)]!,
      fates: fatesOf,
      calm: CALMS[choices.pick(CALMS.length, 0.25)]!,
      steps: played.steps,
    });
    // What has expired is judged by each machine's own clock.
    this.#store = open({ now: () => (this.clocks.get(this.turns.current) ?? this.clock).now() });
    this.steady = insisting(this.#store);
    this.stream = memoryStream({ clock: this.clock, shards: 1 + choices.pick(3, 0.4) });
    this.judge = new Judge(calm, this.stream);
    // Where a salt could expire before its records are processed, visitors would be split for the sake of privacy.
    this.fixedSalts = choices.pick(4, 0.75) === 0 || world.to - world.from > 2.5 * DAY_MS;
    this.#salts = new Random(world.seed);
    this.#lastQuestion = QUESTIONS[choices.pick(QUESTIONS.length, 0.2)];
    this.#landings = [0.5, 0.5, 0.5].map((chance) => choices.pick(3, chance));
    for (const line of world.lines) {
      const key = partitionKeyOf(line.envelope);
      this.waiting.set(key, [...(this.waiting.get(key) ?? []), line]);
    }
  }

  /** Starts an actor with the next turn. */
  cast(name: string, act: Act): void {
    this.#toStart.push({ name, act });
  }

  /** A process with faults of its own. When it dies, `act` begins again in its name, with nothing in memory. */
  process(name: string, act: Act): Process {
    const clock = jumpingClock(this.clock);
    this.clocks.set(name, clock);
    let isDead = false;
    const died = (): void => {
      this.clocks.delete(name);
      this.turns.buried(name);
      if (!isDead) this.cast(name, act);
      isDead = true;
    };
    const plan = this.turns.plan(name);
    const late = { add: (key: string, land: () => Promise<unknown>) => this.#hold(key, land) };
    return {
      clock,
      store: faultyStore(this.#store, plan, { died, late }),
      stream: faultyStream(this.stream, plan, { died }),
    };
  }

  /** What is held back lands when its turn comes. */
  #hold(key: string, land: () => Promise<unknown>): void {
    this.#late.add(key, land);
    this.cast(`late ${++this.#held}`, async (name) => {
      await this.turns.pause(name, key);
      await this.#late.land().catch(ignoreOutage);
    });
  }

  aggregateDeps(own: { readonly store: Store; readonly clock: Clock }): AggregateDeps {
    return {
      ...own,
      hash: keyedHash,
      country: () => "",
      randomBytes: (length) => Uint8Array.from({ length }, () => this.#salts.below(256)),
    };
  }

  /** Puts a record, not before it happened. */
  async put(stream: Pick<Stream, "put">, line: StreamLine): Promise<void> {
    this.clock.advanceTo(line.arrival);
    const data = new TextEncoder().encode(dataOf(line));
    await stream.put({ partitionKey: partitionKeyOf(line.envelope), data });
  }

  /** Throws Broken, or whatever the pipeline threw that is no outage. */
  async play(): Promise<void> {
    await furnish(this.steady, this.clock, this.world, this.fixedSalts);
    while (this.choices.next()) {
      for (const { name, act } of this.#toStart.splice(0)) await this.turns.start(name, () => act(name));
      await this.turns.step();
    }
    await this.#drain();
    await this.judge.end(this.steady, this.clock, [undefined, this.#lastQuestion], this.fixedSalts);
  }

  /** Everybody is gone; others do what is left, and what was held back lands before, in between or after. */
  async #drain(): Promise<void> {
    const { clock, steady, stream } = this;
    this.clocks.clear();
    await this.#land();
    const left = [...this.waiting.values()].flat().sort((a, b) => a.arrival - b.arrival);
    for (const line of left) await this.put(stream, line);
    await this.#land();
    for (const shard of await stream.shards()) {
      const worker = new ShardWorker(this.aggregateDeps({ store: steady, clock }), shard);
      const { records } = await stream.read(shard.id, await worker.lastSequence(), 10_000);
      await worker.process(records);
    }
    await this.#land();
    clock.advanceTo(endOf(this.world));
    while ((await compact({ store: steady, clock })).more);
    while (this.#late.size > 0) await this.#late.land().catch(ignoreOutage);
    while ((await compact({ store: steady, clock })).more);
  }

  async #land(): Promise<void> {
    for (let count = this.#landings.pop() ?? 0; count > 0; count--)
      await this.#late.land().catch(ignoreOutage);
  }
}

/** For `catch`: what injected faults cause is to be expected, all else is not. */
export function ignoreOutage(error: unknown): void {
  if (!isOutage(error)) throw error;
}

/** Repeats what fails of itself, as a service may: who stands outside wants an answer. */
function insisting(store: Store): Store {
  const insist = async <T>(work: () => Promise<T>): Promise<T> => {
    for (let tries = 1; ; tries++) {
      try {
        return await work();
      } catch (error) {
        if (!isOutage(error) || tries === MOST_TRIES) throw error;
      }
    }
  };
  return { ...around(store, insist), close: async () => {} };
}
