/** Who takes part in a schedule, and what each does over and over until the curtain falls. Each takes outages as they come. */
import { HOUR_MS, MINUTE_MS, SECOND_MS } from "../../processors/model/time.ts";
import { ShardWorker } from "../../processors/pipeline/aggregate.ts";
import { listShards } from "../../processors/pipeline/commit.ts";
import { compact } from "../../processors/pipeline/compact.ts";
import { QueryEngine } from "../../processors/pipeline/query/engine.ts";
import { RollupReader } from "../../processors/pipeline/query/reader.ts";
import { loadState } from "../../processors/pipeline/snapshots.ts";
import { faultyStream, reshard } from "../kit/faults/stream.ts";
import { Random } from "../kit/random.ts";
import { QUESTIONS } from "./judge.ts";
import { ignoreOutage, type Process, type Stage } from "./stage.ts";

/** What the time may do at once: a moment, longer than memory is trusted, longer than slots are kept, a night. */
const TICKS = [0, 40 * SECOND_MS, 12 * MINUTE_MS, 40 * MINUTE_MS, 75 * MINUTE_MS, 26 * HOUR_MS];
/** How far one machine's clock may be set off from the others'. */
const JUMPS = [0, MINUTE_MS, -MINUTE_MS, 20 * MINUTE_MS, -20 * MINUTE_MS, 3 * HOUR_MS, -3 * HOUR_MS];
const BATCH_SIZES = [1, 2, 5, 100];
/** How much later than another a record may be in the stream that the edge took earlier: what the shards' state allows for. */
const MOST_OVERTAKING_MS = 50 * MINUTE_MS;

/** Chooses who takes part. Small casts leave more turns to each. */
export function castAll(stage: Stage): void {
  const { choices, waiting, fixedSalts } = stage;
  const comes = (chance: number): boolean => choices.pick(2, 1 - chance) > 0;
  for (const [i, key] of [...waiting.keys()].entries())
    stage.cast(`browser ${i + 1}`, (name) => browse(stage, name, key));
  const workers = 1 + choices.pick(3, 0.3);
  for (let i = 1; i <= workers; i++) again(stage, `worker ${i}`, consume);
  const compactors = 1 + choices.pick(2, 0.3);
  for (let i = 1; i <= compactors; i++) again(stage, `compactor ${i}`, compacts);
  if (comes(0.6)) again(stage, "keeper", keep);
  if (comes(0.7)) again(stage, "reader 1", ask);
  if (comes(0.5) && fixedSalts) again(stage, "reader 2", read);
  if (comes(0.6)) stage.cast("time", (name) => passTime(stage, name));
  if (comes(0.4)) stage.cast("ntp", (name) => setClocks(stage, name));
  const reshardings = choices.pick(4, 0.6);
  stage.cast("operator", (name) => operate(stage, name, reshardings));
}

/** Casts a process that begins anew whenever it dies. */
function again(
  stage: Stage,
  name: string,
  live: (stage: Stage, name: string, own: Process) => Promise<void>,
): void {
  const act = (): Promise<void> => live(stage, name, stage.process(name, act));
  stage.cast(name, act);
}

/** Puts the records of one partition key in their order, each until it is taken for sure; other keys may pass it. */
async function browse(stage: Stage, name: string, key: string): Promise<void> {
  const { turns, waiting } = stage;
  const own = faultyStream(stage.stream, turns.plan(name));
  const lines = waiting.get(key) ?? [];
  const oldest = (): number =>
    Math.min(...[...waiting.values()].map(([line]) => line?.arrival ?? Number.POSITIVE_INFINITY));
  while (lines[0]) {
    if (lines[0].arrival - oldest() > MOST_OVERTAKING_MS) await turns.pause(name, "is ahead of the others");
    else await stage.put(own, lines[0]).then(() => lines.shift(), ignoreOutage);
  }
}

/** Takes every shard, so that each has rivals; parents to their end first. */
async function consume(stage: Stage, _name: string, own: Process): Promise<void> {
  const deps = stage.aggregateDeps(own);
  const workers = new Map<string, ShardWorker>();
  const finished = new Set<string>();
  const round = async (): Promise<void> => {
    for (const shard of await own.stream.shards()) {
      if (finished.has(shard.id) || shard.parents.some((parent) => !finished.has(parent))) continue;
      const worker = workers.get(shard.id) ?? new ShardWorker(deps, shard);
      workers.set(shard.id, worker);
      const after = await worker.lastSequence();
      await stage.judge.acknowledgeThrough(shard.id, after);
      const limit = BATCH_SIZES[stage.choices.pick(BATCH_SIZES.length, 0.25)]!;
      const { records, atEnd } = await own.stream.read(shard.id, after, limit);
      await worker.process(records);
      stage.judge.acknowledge(records);
      if (atEnd && records.length === 0) finished.add(shard.id);
    }
  };
  for (;;) await round().catch(ignoreOutage);
}

async function compacts(_stage: Stage, _name: string, own: Process): Promise<void> {
  for (;;) await compact(own).catch(ignoreOutage);
}

/** Writes snapshots of the shards' state, as workers do, but those only of more than a schedule has. */
async function keep({ turns }: Stage, name: string, { store }: Process): Promise<void> {
  const round = async (): Promise<void> => {
    for (const { id } of await listShards(store)) {
      const loaded = await loadState(store, id);
      await loaded?.snapshots.write(loaded.state);
    }
  };
  for (;;) {
    await turns.pause(name, "rest");
    await round().catch(ignoreOutage);
  }
}

/** Asks through an engine that it keeps, caches and all. */
async function ask(
  { turns, world, choices, judge, played, clock }: Stage,
  name: string,
  own: Process,
): Promise<void> {
  const engine = new QueryEngine(own);
  for (let number = 0; ; number++) {
    await turns.pause(name, "think");
    const site = world.sites[number % world.sites.length]!;
    const question = QUESTIONS[choices.pick(QUESTIONS.length, 0.3)];
    await judge.ask(engine, site.id, question, clock).then(() => played.answers++, ignoreOutage);
  }
}

/** Reads everything that there is of a site. */
async function read(
  { turns, world, steady, judge, played }: Stage,
  name: string,
  own: Process,
): Promise<void> {
  const reader = new RollupReader(own);
  for (let number = 0; ; number++) {
    await turns.pause(name, "think");
    const site = world.sites[number % world.sites.length]!;
    await judge.read(reader, steady, site.id).then(() => played.answers++, ignoreOutage);
  }
}

async function passTime({ turns, choices, clock, fixedSalts }: Stage, name: string): Promise<void> {
  // Not so much that minutes expire, or salts.
  let left = fixedSalts ? 60 * HOUR_MS : 6 * HOUR_MS;
  for (let times = 8; times > 0; times--) {
    await turns.pause(name, "passes");
    const tick = Math.min(left, TICKS[choices.pick(TICKS.length, 0.2)]!);
    left -= tick;
    clock.advance(tick);
  }
}

/** Sets single machines' clocks. */
async function setClocks({ turns, choices, clocks }: Stage, name: string): Promise<void> {
  for (let times = 6; times > 0; times--) {
    await turns.pause(name, "sets a clock");
    const all = [...clocks.values()];
    all[choices.pick(all.length, 0)]?.jump(JUMPS[choices.pick(JUMPS.length, 0.3)]!);
  }
}

/** Splits and merges shards. */
async function operate({ turns, choices, stream }: Stage, name: string, times: number): Promise<void> {
  for (let left = times; left > 0; left--) {
    await turns.pause(name, "reshards");
    await reshard(stream, new Random(choices.pick(1_000, 0)));
  }
}
