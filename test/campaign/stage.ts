/**
 * Plays one schedule: browsers, workers, compactors and readers as actors that take turns at every call to the store or
 * the stream, meet faults, die and are succeeded; then everything is drained in peace. The judge looks on all the time.
 */
import { keyedHash } from "../../processors/crypto.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import type { StreamLine } from "../../processors/model/streamfile.ts";
import { partitionKeyOf } from "../../processors/model/streamfile.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from "../../processors/model/time.ts";
import { type AggregateDeps, ShardWorker } from "../../processors/pipeline/aggregate.ts";
import { listShards, loadState, writeSnapshot } from "../../processors/pipeline/commit.ts";
import { compact } from "../../processors/pipeline/compact.ts";
import { QueryEngine } from "../../processors/pipeline/query/engine.ts";
import { RollupReader } from "../../processors/pipeline/query/reader.ts";
import type { Store } from "../../processors/stores/store.ts";
import { memoryStream } from "../../processors/streams/memory.ts";
import { manualClock } from "../kit/clock.ts";
import type { Choices } from "../kit/faults/choices.ts";
import { type JumpingClock, jumpingClock } from "../kit/faults/clock.ts";
import type { Call, Fate } from "../kit/faults/fate.ts";
import { faultyStore, LateWrites } from "../kit/faults/store.ts";
import { faultyStream, reshard } from "../kit/faults/stream.ts";
import { type Step, Turns } from "../kit/faults/turns.ts";
import { Random } from "../kit/random.ts";
import { type Calm, endOf, furnish, Judge, QUESTIONS } from "./judge.ts";
import { dataOf } from "./world.ts";

export interface Play {
  readonly calm: Calm;
  /** Opens the store of this schedule, empty. Its expiry follows the clock given. */
  readonly open: (clock: { now(): number }) => Store;
  readonly choices: Choices;
}

export interface Played {
  readonly steps: readonly Step[];
  /** Answers that were judged before the end. */
  readonly answers: number;
}

const READ_FATES: readonly Fate[] = ["pass", "throttle", "fail", "crash"];
const WRITE_FATES: readonly Fate[] = ["pass", "throttle", "fail", "timeout", "hold", "crash", "crash-after"];
const STREAM_READ_FATES: readonly Fate[] = ["pass", "one", "nothing", "twice", "throttle", "crash"];
const STREAM_PUT_FATES: readonly Fate[] = ["pass", "timeout", "twice", "throttle", "fail"];

const fatesOf = (actor: string, { name, writes }: Pick<Call, "name" | "writes">): readonly Fate[] => {
  if (!CALLS_FAIL.test(actor)) return ["pass"];
  if (name === "read" || name === "shards") return STREAM_READ_FATES;
  if (actor.startsWith("browser")) return STREAM_PUT_FATES;
  return writes ? WRITE_FATES : READ_FATES;
};
const CALLS_FAIL = /^(browser|worker|compactor|keeper|reader)/;

/** What the time may do at once: a moment, longer than memory is trusted, longer than slots are kept, a night. */
const TICKS = [0, 40 * SECOND_MS, 12 * MINUTE_MS, 40 * MINUTE_MS, 75 * MINUTE_MS, 26 * HOUR_MS];
/** How far one machine's clock may be from the others'. */
const JUMPS = [0, MINUTE_MS, -MINUTE_MS, 20 * MINUTE_MS, -20 * MINUTE_MS, 3 * HOUR_MS, -3 * HOUR_MS];
const MOST_TRIES = 20;
const BATCH_SIZES = [1, 2, 5, 100];
/** How much later than another a record may be in the stream that the edge took earlier: what the shards' state allows for. */
const MOST_OVERTAKING_MS = 50 * MINUTE_MS;

const isOutage = (error: unknown): boolean =>
  error instanceof ClickstreamError && (error.code === "unavailable" || error.code === "throttled");

/** Throws Broken, or whatever the pipeline threw that is no outage. `steps` is filled either way. */
export async function play({ calm, open, choices }: Play, steps: Step[] = []): Promise<Played> {
  const { world } = calm;
  const clock = manualClock(world.lines[0]!.arrival);
  const clocks = new Map<string, JumpingClock>();
  // What has expired is judged by each machine's own clock.
  let acting = (): string => "";
  const store = open({ now: () => (clocks.get(acting()) ?? clock).now() });
  const steady = insisting(store);
  const shards = 1 + choices.pick(3, 0.4);
  const stream = memoryStream({ clock, shards });
  // Salts made on demand differ from run to run, and registers with them: then only what they count is compared. And
  // only where no salt can expire before its records are processed, which splits visitors for the sake of privacy.
  const fixedSalts = choices.pick(4, 0.75) === 0 || world.to - world.from > 2.5 * DAY_MS;
  // Small casts leave more turns to each.
  const workers = 1 + choices.pick(3, 0.3);
  const compactors = 1 + choices.pick(2, 0.3);
  const [keeper, asking, reading, time, ntp] = [0.4, 0.3, 0.5, 0.4, 0.6].map(
    (chance) => choices.pick(2, chance) > 0,
  );
  const reshardings = choices.pick(4, 0.6);
  const lastQuestion = QUESTIONS[choices.pick(QUESTIONS.length, 0.2)];
  const landings = [choices.pick(3, 0.5), choices.pick(3, 0.5), choices.pick(3, 0.5)];
  await furnish(steady, clock, world, fixedSalts);
  const judge = new Judge(calm, stream);
  const late = new LateWrites();
  let held = 0;
  const turns = new Turns({
    choices,
    stay: [0.5, 0, 0.8, 0.93][choices.pick(4, 0.25)]!,
    fates: fatesOf,
    calm: [0.97, 1, 0.9, 0.8][choices.pick(4, 0.25)]!,
    steps,
  });
  acting = () => turns.current;
  let answers = 0;
  const toStart: { name: string; work: (name: string) => Promise<void> }[] = [];
  /** Starts an actor with the next turn. */
  const cast = (name: string, work: (name: string) => Promise<void>): void => {
    toStart.push({ name, work });
  };

  /** What one process has of its own: a clock, and ways to the store and the stream. When it dies another takes its name. */
  const processOf = (name: string, again: (name: string) => Promise<void>) => {
    const own = jumpingClock(clock);
    clocks.set(name, own);
    let isDead = false;
    const died = (): void => {
      clocks.delete(name);
      turns.buried(name);
      if (!isDead) cast(name, again);
      isDead = true;
    };
    const plan = turns.plan(name);
    return {
      clock: own,
      store: faultyStore(store, plan, {
        died,
        late: {
          add(key: string, land: () => Promise<unknown>) {
            late.add(key, land);
            cast(`late ${++held}`, async (slow) => {
              await turns.pause(slow, key);
              await late.land().catch(ignoreOutage);
            });
          },
        },
      }),
      stream: faultyStream(stream, plan, { died }),
    };
  };
  const salts = new Random(world.seed);
  const depsOf = (own: { store: Store; clock: JumpingClock }): AggregateDeps => ({
    ...own,
    hash: keyedHash,
    country: () => "",
    randomBytes: (length) => Uint8Array.from({ length }, () => salts.below(256)),
  });

  // ---- browsers: one for each partition key, so that keys are put in any order and each key in its own
  const waiting = new Map<string, StreamLine[]>();
  for (const line of world.lines) {
    const key = partitionKeyOf(line.envelope);
    waiting.set(key, [...(waiting.get(key) ?? []), line]);
  }
  const put = async (to: Pick<typeof stream, "put">, line: StreamLine): Promise<void> => {
    clock.advanceTo(line.arrival);
    await to.put({
      partitionKey: partitionKeyOf(line.envelope),
      data: new TextEncoder().encode(dataOf(line)),
    });
  };
  const oldest = (): number =>
    Math.min(...[...waiting.values()].map(([line]) => line?.arrival ?? Number.POSITIVE_INFINITY));
  for (const [i, lines] of [...waiting.values()].entries()) {
    cast(`browser ${i + 1}`, async (name) => {
      const own = faultyStream(stream, turns.plan(name));
      while (lines[0]) {
        if (lines[0].arrival - oldest() > MOST_OVERTAKING_MS) {
          await turns.pause(name, "is ahead of the others");
          continue;
        }
        try {
          await put(own, lines[0]);
          lines.shift();
        } catch (error) {
          if (!isOutage(error)) throw error;
        }
      }
    });
  }

  // ---- workers: each takes every shard, so that each shard has rivals
  const consume = async (name: string): Promise<void> => {
    const own = processOf(name, consume);
    const deps = depsOf(own);
    const workers = new Map<string, ShardWorker>();
    const finished = new Set<string>();
    for (;;) {
      try {
        for (const shard of await own.stream.shards()) {
          // Parents to their end first.
          if (finished.has(shard.id) || shard.parents.some((parent) => !finished.has(parent))) continue;
          let worker = workers.get(shard.id);
          if (!worker) {
            worker = new ShardWorker(deps, shard);
            workers.set(shard.id, worker);
          }
          const after = await worker.lastSequence();
          await judge.acknowledgeThrough(shard.id, after);
          const limit = BATCH_SIZES[choices.pick(BATCH_SIZES.length, 0.25)]!;
          const { records, atEnd } = await own.stream.read(shard.id, after, limit);
          await worker.process(records);
          judge.acknowledge(records);
          if (atEnd && records.length === 0) finished.add(shard.id);
        }
      } catch (error) {
        if (!isOutage(error)) throw error;
      }
    }
  };
  for (let i = 1; i <= workers; i++) cast(`worker ${i}`, consume);

  // ---- compactors, and a keeper of snapshots (a worker makes them too, but only of more than a schedule has)
  const compacts = async (name: string): Promise<void> => {
    const own = processOf(name, compacts);
    for (;;) await compact(own).catch(ignoreOutage);
  };
  for (let i = 1; i <= compactors; i++) cast(`compactor ${i}`, compacts);
  const keeps = async (name: string): Promise<void> => {
    const own = processOf(name, keeps);
    for (;;) {
      await turns.pause(name, "rest");
      try {
        for (const { id } of await listShards(own.store)) {
          const loaded = await loadState(own.store, id);
          if (loaded) await writeSnapshot(own.store, id, loaded.state);
        }
      } catch (error) {
        ignoreOutage(error);
      }
    }
  };
  if (keeper) cast("keeper", keeps);

  // ---- readers: one that keeps its engine, one that reads everything
  const asks = async (name: string): Promise<void> => {
    const own = processOf(name, asks);
    const engine = new QueryEngine(own);
    for (let number = 0; ; number++) {
      await turns.pause(name, "think");
      const site = world.sites[number % world.sites.length]!;
      const question = QUESTIONS[choices.pick(QUESTIONS.length, 0.3)];
      await judge.ask(engine, site.id, question).then(() => answers++, ignoreOutage);
    }
  };
  if (asking) cast("reader 1", asks);
  const reads = async (name: string): Promise<void> => {
    const own = processOf(name, reads);
    const reader = new RollupReader(own);
    for (let number = 0; ; number++) {
      await turns.pause(name, "think");
      const site = world.sites[number % world.sites.length]!.id;
      await judge.read(reader, steady, site).then(() => answers++, ignoreOutage);
    }
  };
  if (reading && fixedSalts) cast("reader 2", reads);

  // ---- time passes, single clocks jump, shards split and merge
  const passTime = async (name: string): Promise<void> => {
    // Not so much that minutes expire, or salts.
    let left = fixedSalts ? 60 * HOUR_MS : 6 * HOUR_MS;
    for (let times = 8; times > 0; times--) {
      await turns.pause(name, "passes");
      const tick = Math.min(left, TICKS[choices.pick(TICKS.length, 0.2)]!);
      left -= tick;
      clock.advance(tick);
    }
  };
  if (time) cast("time", passTime);
  const setClocks = async (name: string): Promise<void> => {
    for (let times = 6; times > 0; times--) {
      await turns.pause(name, "sets a clock");
      const all = [...clocks.values()];
      all[choices.pick(all.length, 0)]?.jump(JUMPS[choices.pick(JUMPS.length, 0.3)]!);
    }
  };
  if (ntp) cast("ntp", setClocks);
  cast("operator", async (name) => {
    for (let times = reshardings; times > 0; times--) {
      await turns.pause(name, "reshards");
      await reshard(stream, new Random(choices.pick(1_000, 0)));
    }
  });

  while (choices.next()) {
    for (const { name, work } of toStart.splice(0)) await turns.start(name, () => work(name));
    await turns.step();
  }

  // ---- in peace: what was held back lands before, in between or after
  clocks.clear();
  const landSome = async (): Promise<void> => {
    for (let count = landings.pop() ?? 0; count > 0; count--) await late.land().catch(ignoreOutage);
  };
  await landSome();
  const left = [...waiting.values()].flat().sort((a, b) => a.arrival - b.arrival);
  for (const line of left) await put(stream, line);
  await landSome();
  const deps = depsOf({ store: steady, clock: jumpingClock(clock) });
  for (const shard of await stream.shards()) {
    const worker = new ShardWorker(deps, shard);
    const { records } = await stream.read(shard.id, await worker.lastSequence(), 10_000);
    await worker.process(records);
  }
  await landSome();
  clock.advanceTo(endOf(world));
  while ((await compact({ store: steady, clock })).more);
  while (late.size > 0) await late.land().catch(ignoreOutage);
  while ((await compact({ store: steady, clock })).more);
  await judge.end(steady, clock, [undefined, lastQuestion], fixedSalts);
  return { steps, answers };
}

/** Repeats what fails of itself, as a service may: who uses it in peace wants an answer. */
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
  return {
    get: (key) => insist(() => store.get(key)),
    getMany: (keys) => insist(() => store.getMany(keys)),
    list: (pk, range) => insist(() => store.list(pk, range)),
    put: (item, expected) => insist(() => store.put(item, expected)),
    delete: (keys) => insist(() => store.delete(keys)),
    close: async () => {},
  };
}

function ignoreOutage(error: unknown): void {
  if (!isOutage(error)) throw error;
}
