/** Replays a recorded stream through the real pipeline in memory, under a manual clock and a seeded schedule: no sleeps. */
import { readFile } from "node:fs/promises";
import { keyedHash } from "../../processors/crypto.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import { isSiteId } from "../../processors/model/site.ts";
import { parseStreamLine, partitionKeyOf, type StreamLine } from "../../processors/model/streamfile.ts";
import { type AggregateDeps, ShardWorker } from "../../processors/pipeline/aggregate.ts";
import { compact, compactAll } from "../../processors/pipeline/compact.ts";
import { decodeRecord } from "../../processors/pipeline/decode/record.ts";
import { encodeJson } from "../../processors/pipeline/json.ts";
import { QueryEngine } from "../../processors/pipeline/query/engine.ts";
import type { QueryResponse } from "../../processors/pipeline/query/responses.ts";
import { registerSites } from "../../processors/pipeline/sites.ts";
import { type Counters, newCounters } from "../../processors/pipeline/state.ts";
import { dayOf } from "../../processors/pipeline/visitor.ts";
import { memoryStore } from "../../processors/stores/memory.ts";
import type { Store } from "../../processors/stores/store.ts";
import { memoryStream } from "../../processors/streams/memory.ts";
import type { Shard } from "../../processors/streams/stream.ts";
import { type ManualClock, manualClock } from "./clock.ts";
import { crashingStore } from "./crash.ts";
import { type CheckedOptions, checkOptions, type LooseOptions } from "./options.ts";
import { Random } from "./random.ts";
import { hexOf, rollupsIn } from "./rollups.ts";
import { disturb } from "./schedule.ts";

/** See docs/replay.md for what each disturbance stands for. */
export interface ReplayOptions extends LooseOptions {
  /** Default: every site in the recording, in UTC. */
  readonly sites?: readonly { readonly id: string; readonly timeZone: string }[];
  /** Events later than this are late. Default ALLOWED_LATENESS_MS. */
  readonly allowedLatenessMs?: number;
  /** Default: memory. A store given here is not closed. */
  readonly store?: Store;
  /** Called between steps, at any moment of the schedule; what a reader sees then must hold too. */
  readonly observe?: (replayed: { readonly store: Store; readonly clock: ManualClock }) => Promise<void>;
}

export interface ReplayResult {
  readonly clock: ManualClock;
  readonly store: Store;
  readonly counters: Counters;
  /** Canonical bytes of every rollup, in hexadecimal, by `granularity site start`. */
  rollups(): Promise<Map<string, string>>;
  /** A Stats API query at the end of the recording. */
  query(body: Record<string, unknown>): Promise<QueryResponse>;
}

const MAX_CRASHES = 5;

/** `input` is a file or its lines. Throws `bad_request` naming the line that is no record. */
export async function replay(
  input: string | readonly StreamLine[],
  options: ReplayOptions = {},
): Promise<ReplayResult> {
  const recorded = typeof input === "string" ? await readLines(input) : input;
  const checked = checkOptions(options);
  const random = new Random(checked.seed);
  const lines = disturb(recorded, checked, random);
  const clock = manualClock(lines[0]?.arrival ?? 0);
  const store = options.store ?? memoryStore({ clock });
  await registerSites(store, clock, options.sites ?? sitesOf(recorded));
  await fixSalts(store, recorded);
  const stream = memoryStream({ clock, shards: checked.shards });
  const crashes = crashPoints(checked.crashAt, random);
  const { allowedLatenessMs } = options;
  const lateness = allowedLatenessMs === undefined ? {} : { allowedLatenessMs };
  const deps: Omit<AggregateDeps, "store"> = {
    clock,
    hash: keyedHash,
    randomBytes: (length) => new Uint8Array(length).fill(7),
    country: () => "",
    ...lateness,
  };

  const workers = new Map<string, ShardWorker>();
  const open = ({ id, parents }: Shard): ShardWorker => {
    const crash = crashes.shift();
    const behind = crash === undefined ? store : crashingStore(store, crash, random.chance(0.5));
    const worker = new ShardWorker({ ...deps, store: behind }, { id, parents });
    workers.set(id, worker);
    return worker;
  };
  /** Gives a shard's worker some records; a worker that died is succeeded. Returns false when nothing was left. */
  const step = async (shard: Shard): Promise<boolean> => {
    try {
      const worker = workers.get(shard.id) ?? open(shard);
      const { records } = await stream.read(shard.id, await worker.lastSequence(), 1 + random.below(20));
      await worker.process(records);
      return records.length > 0;
    } catch (error) {
      if (!(error instanceof ClickstreamError) || error.code !== "unavailable") throw error;
      workers.delete(shard.id);
      return true;
    }
  };
  const drain = async (): Promise<void> => {
    // Parents come first in the list and are drained before their children are opened.
    for (const shard of await stream.shards()) while (await step(shard));
  };

  for (const [number, line] of lines.entries()) {
    if (checked.reshardAt.includes(number)) {
      for (const { id, closed } of await stream.shards()) if (!closed) stream.split(id);
    }
    clock.advanceTo(line.arrival);
    const data = encodeJson(line.envelope);
    await stream.put({ partitionKey: partitionKeyOf(line.envelope), data });
    if (random.chance(0.2)) await drain();
    if (random.chance(0.02)) await compact({ store, clock });
    if (options.observe && random.chance(0.05)) await options.observe({ store, clock });
  }
  await drain();
  await compactAll({ store, clock });
  const counters = newCounters();
  for (const shard of await stream.shards()) {
    const worker = workers.get(shard.id) ?? new ShardWorker({ ...deps, store }, shard);
    add(counters, await worker.counters());
  }
  const engine = new QueryEngine({ store, clock, lagMs: async () => 0, ...lateness });
  return { clock, store, counters, rollups: () => rollupsOf(store), query: (body) => engine.query(body) };
}

async function readLines(file: string): Promise<StreamLine[]> {
  const texts = (await readFile(file, "utf8")).split("\n");
  return texts.flatMap((text, i) => {
    if (text.trim() === "") return [];
    const line = parseStreamLine(text);
    if ("problem" in line) throw new ClickstreamError("bad_request", `${file}:${i + 1}: ${line.problem}`);
    return [line];
  });
}

/** As the pipeline reads them; what no site can be called is refused there. */
function sitesOf(lines: readonly StreamLine[]): { id: string; timeZone: string }[] {
  const ids = new Set<string>();
  for (const { arrival, envelope } of lines) {
    const data = encodeJson(envelope);
    const { batches } = decodeRecord({ sequence: "1", partitionKey: "", arrivalAt: arrival, data });
    for (const { site } of batches) if (isSiteId(site)) ids.add(site);
  }
  return [...ids].map((id) => ({ id, timeZone: "UTC" }));
}

/** "random" gives workers a few dozen operations to live, so that crashes fall into every kind of operation. */
function crashPoints(crashAt: CheckedOptions["crashAt"], random: Random): number[] {
  if (crashAt !== "random") return [...crashAt];
  return Array.from({ length: 1 + random.below(MAX_CRASHES) }, () => random.below(40));
}

/** Each day's salt follows from the day: made on demand, salts and with them visitor ids would depend on the schedule. */
async function fixSalts(store: Store, lines: readonly StreamLine[]): Promise<void> {
  const days = new Set(lines.flatMap(({ envelope }) => [dayOf(envelope.at) - 1, dayOf(envelope.at)]));
  for (const day of days) {
    const value = new TextEncoder().encode(`salt of ${day}`.padEnd(16));
    await store.put({ pk: "salt", sk: String(day), value }, 0);
  }
}

function add(total: Counters, counters: Counters): void {
  for (const name of ["records", "batches", "events", "late"] as const) total[name] += counters[name];
  for (const [reason, count] of Object.entries(counters.rejects))
    total.rejects[reason] = (total.rejects[reason] ?? 0) + count;
}

async function rollupsOf(store: Store): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const { sk: site } of await store.list("site")) {
    for await (const { granularity, sk, rollup } of rollupsIn(store, site))
      found.set(`${granularity} ${site} ${sk}`, hexOf(rollup));
  }
  return found;
}
