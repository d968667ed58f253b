/**
 * Plays a recorded stream through the real consumer and the real compaction at the rate of a given month, and counts what
 * AWS would bill: requests, puts, invocations, milliseconds, write and read units. Knows no price.
 */
import { setImmediate as breathe } from "node:timers/promises";
import { keyedHash, randomBytes } from "../../../processors/crypto.ts";
import { ClickstreamError } from "../../../processors/errors.ts";
import { PAGEVIEW } from "../../../processors/model/event.ts";
import { isSiteId } from "../../../processors/model/site.ts";
import { partitionKeyOf, type StreamLine } from "../../../processors/model/streamfile.ts";
import { type EpochMs, HOUR_MS, MINUTE_MS, SECOND_MS } from "../../../processors/model/time.ts";
import { ShardWorker } from "../../../processors/pipeline/aggregate.ts";
import { isCompactionDue } from "../../../processors/pipeline/cadence.ts";
import { deleteCommits, logEnd } from "../../../processors/pipeline/commit.ts";
import { compact } from "../../../processors/pipeline/compact.ts";
import { decodeRecord } from "../../../processors/pipeline/decode/record.ts";
import { partition, ROLLUP_PARTITIONS } from "../../../processors/pipeline/rollups.ts";
import { registerSites } from "../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import type { Store } from "../../../processors/stores/store.ts";
import { memoryStream } from "../../../processors/streams/memory.ts";
import type { Stream } from "../../../processors/streams/stream.ts";
import { MONTH_SECONDS } from "../../prices.ts";
import { meteredStore, noUnits, type StoreUnits } from "./units.ts";

/** What one function did. */
export interface FunctionUse {
  invocations: number;
  /** Processor milliseconds on this machine, one core. */
  cpuMs: number;
  units: StoreUnits;
}

/** All of it for the views that were played. */
export interface Usage {
  readonly pageviews: number;
  /** POSTs of browsers. */
  readonly requests: number;
  /** How often browsers fetched the collector. */
  readonly collectorLoads: number;
  /** Bytes of their bodies, and of the records made of them. */
  readonly bodyBytes: number;
  readonly recordBytes: number;
  /** Puts of up to 25 KB. */
  readonly putUnits: number;
  readonly seconds: number;
  readonly aggregate: FunctionUse;
  readonly compact: FunctionUse;
  /** In the table at the end, without what expires. */
  readonly storedBytes: number;
}

/** As infra/aws/aggregation.ts sets the event source: a batch is handed over after this long, or when it is full. */
const WINDOW_MS = SECOND_MS;
const BATCH_RECORDS = 1_000;
const PUT_UNIT_BYTES = 25 * 1_024;
/** For how long a browser keeps the collector (infra/aws/site.ts). */
const COLLECTOR_FRESH_MS = HOUR_MS;

/**
 * The recording's arrivals are stretched or pressed evenly so that its page views come at `viewsPerMonth`; each keeps its
 * place among the others. What would come after a month is left out. Throws what the pipeline throws, and `config` for a
 * recording without page views.
 */
export async function measure(
  lines: readonly StreamLine[],
  { viewsPerMonth, shards }: { readonly viewsPerMonth: number; readonly shards: number },
): Promise<Usage> {
  const { recorded, pageviews, sites } = monthOf(
    lines.toSorted((a, b) => a.arrival - b.arrival),
    viewsPerMonth,
  );
  if (pageviews === 0) throw new ClickstreamError("config", "the recording holds no page view");
  const seconds = (pageviews / viewsPerMonth) * MONTH_SECONDS;
  const first = recorded[0]!.arrival;
  const span = Math.max(1, recorded.at(-1)!.arrival - first);
  const startedAt = Math.ceil(first / MINUTE_MS) * MINUTE_MS;

  let now: EpochMs = startedAt;
  const clock = { now: () => now };
  const store = memoryStore({ clock });
  await registerSites(
    store,
    clock,
    sites.map((id) => ({ id, timeZone: "UTC" })),
  );
  const stream = memoryStream({ clock, shards });
  const use = { aggregate: idle(), compact: idle() };
  const deps = { clock, hash: keyedHash, randomBytes, country: () => "" };
  const behind = meteredStore(store, use.aggregate.units);
  const workers = new Map<string, ShardWorker>();
  const read = new Map<string, string>();
  const usage = { requests: 0, bodyBytes: 0, recordBytes: 0, putUnits: 0 };

  const timed = async (of: FunctionUse, work: () => Promise<unknown>): Promise<void> => {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    of.invocations += 1;
    of.cpuMs += (user + system) / 1_000;
  };
  const handOver = async (): Promise<void> => {
    for (const { id, parents } of await stream.shards()) {
      for (;;) {
        const { records } = await stream.read(id, read.get(id) ?? "", BATCH_RECORDS);
        if (records.length === 0) break;
        read.set(id, records.at(-1)!.sequence);
        let worker = workers.get(id);
        if (!worker) {
          worker = new ShardWorker({ ...deps, store: behind }, { id, parents });
          workers.set(id, worker);
        }
        await timed(use.aggregate, () => worker.process(records));
      }
    }
  };
  // As processors/handlers/compact.ts does each minute.
  const fold = (): Promise<void> =>
    timed(use.compact, async () => {
      const metered = meteredStore(store, use.compact.units);
      let isMore = await isCompactionDue({ store: metered, clock });
      while (isMore) ({ more: isMore } = await compact({ store: metered, clock }));
    });

  let windowEnds = startedAt + WINDOW_MS;
  let minuteEnds = startedAt + MINUTE_MS;
  const passMinutes = async (until: EpochMs): Promise<void> => {
    while (until >= minuteEnds) {
      now = minuteEnds;
      await handOver();
      await fold();
      minuteEnds += MINUTE_MS;
      await breathe();
    }
  };
  for (const { arrival, envelope } of recorded) {
    const at = Math.round(startedAt + ((arrival - first) / span) * seconds * SECOND_MS);
    await passMinutes(at);
    if (at >= windowEnds) {
      now = windowEnds;
      await handOver();
      windowEnds = at + WINDOW_MS;
    }
    now = at;
    const data = new TextEncoder().encode(JSON.stringify({ ...envelope, at }));
    await stream.put({ partitionKey: partitionKeyOf(envelope), data });
    usage.requests += 1;
    usage.bodyBytes += Math.floor((envelope.body64.length * 3) / 4);
    usage.recordBytes += data.length;
    usage.putUnits += Math.ceil(data.length / PUT_UNIT_BYTES);
  }
  now = windowEnds;
  await handOver();
  // Of a recording of one moment nothing but this is left.
  await passMinutes(startedAt + seconds * SECOND_MS);
  now = minuteEnds;
  await fold();
  await forget(stream, meteredStore(store, use.compact.units));
  const loaded = { collectorLoads: collectorLoads(recorded), storedBytes: await storedBytes(store, sites) };
  return { pageviews, seconds, ...usage, ...use, ...loaded };
}

/** Commits stay for an hour, longer than most recordings: what deleting the last of them costs belongs to these views. */
async function forget(stream: Stream, store: Store): Promise<void> {
  for (const { id } of await stream.shards()) {
    const through = (await logEnd(store, id))?.n ?? 0;
    while (!(await deleteCommits(store, id, through)));
  }
}

/** A sender fetches it when it has none, or an old one; by the recording's own times, as people came. */
function collectorLoads(lines: readonly StreamLine[]): number {
  const fetchedAt = new Map<string, EpochMs>();
  let loads = 0;
  for (const { arrival, envelope } of lines) {
    const sender = JSON.stringify([envelope.ip, envelope.ua64]);
    if (arrival - (fetchedAt.get(sender) ?? -Infinity) < COLLECTOR_FRESH_MS) continue;
    fetchedAt.set(sender, arrival);
    loads += 1;
  }
  return loads;
}

const idle = (): FunctionUse => ({ invocations: 0, cpuMs: 0, units: noUnits() });

/** The recording as far as its page views fill a month, whatever comes after: it would be a further month like this one. */
function monthOf(
  lines: readonly StreamLine[],
  viewsPerMonth: number,
): { recorded: readonly StreamLine[]; pageviews: number; sites: string[] } {
  const sites = new Set<string>();
  let pageviews = 0;
  let length = 0;
  for (; length < lines.length && pageviews < viewsPerMonth; length++) {
    const { envelope, arrival } = lines[length]!;
    const data = new TextEncoder().encode(JSON.stringify(envelope));
    const { batches } = decodeRecord({ sequence: "1", partitionKey: "", arrivalAt: arrival, data });
    for (const { site, events } of batches) {
      // Of a name that no site can have everything is refused.
      if (!isSiteId(site)) continue;
      sites.add(site);
      pageviews += events.filter(({ name }) => name === PAGEVIEW).length;
    }
  }
  return { recorded: lines.slice(0, length), pageviews, sites: [...sites] };
}

/** Rollups only: commits, salts and visitors' states come and go. */
async function storedBytes(store: ReturnType<typeof memoryStore>, sites: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const site of sites)
    for (const kind of ROLLUP_PARTITIONS)
      for (const item of await store.list(partition(kind, site))) bytes += item.value.length + item.sk.length;
  return bytes;
}
