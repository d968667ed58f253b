/**
 * A deployment under load, event by event in simulated time: shards with their limits, the event source that polls them,
 * the function that counts, the table that takes its commits, and the compaction. Pure; what it assumes are its parameters.
 */

/** What the simulation takes for given; `MEASURED` says where each figure comes from. */
export interface Parameters {
  /** Events in one POST, and bytes of the record that it becomes. */
  readonly eventsPerRequest: number;
  readonly recordBytes: number;
  /** An invocation without events: the event source's call, one put to the table, one log line. */
  readonly invocationMs: number;
  /** Counting one event, in the function's share of a core. */
  readonly eventMs: number;
  /** A commit of n events has `commitBytes` + `eventBytes` * n ** `sharing` bytes: events of a second share pages and visits. */
  readonly commitBytes: number;
  readonly eventBytes: number;
  readonly sharing: number;
  /** Folding one event's share of a commit into rollups, in the compaction's share of a core. */
  readonly compactEventMs: number;
  /** A shard is planned for this part of its limits. */
  readonly headroom: number;
  /** From the end of a split shard until the first batch of its halves: Lambda finds them, and the worker reads what the parent remembers. */
  readonly openShardMs: number;
}

/** Measured with `rivulet cost --json` at rates from 1 to 1,000 million views a month; times by a function's share of a core. `headroom` and `openShardMs` are assumed. */
export const MEASURED: Parameters = {
  eventsPerRequest: 1.3,
  recordBytes: 706,
  invocationMs: 9,
  eventMs: 0.065,
  commitBytes: 400,
  eventBytes: 280,
  sharing: 0.68,
  compactEventMs: 0.02,
  headroom: 0.7,
  openShardMs: 5_000,
};

/** https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html */
const SHARD_RECORDS_PER_SECOND = 1_000;
const SHARD_BYTES_PER_SECOND = 2 ** 20;
/** A partition of a table takes this many write units a second; each shard's commits are one partition. */
const PARTITION_WRITE_UNITS = 1_000;
/** A new on-demand table's first capacity; it doubles within half an hour. */
const TABLE_FIRST_WRITE_UNITS = 4_000;
/** As infra/aws/aggregation.ts sets the event source; Lambda polls each shard once a second. */
const POLL_MS = 1_000;
const BATCH_RECORDS = 1_000;
const MAX_COMMIT_BYTES = 350_000;
const COMPACT_BUDGET_MS = 60_000;

export interface Load {
  /** Events a second, all sites together. */
  readonly eventsPerSecond: number;
  /** Default: as many as `shardsFor` says. */
  readonly shards?: number;
  readonly seconds?: number;
  /** Every shard is split in two at this second; `shards` are those before. */
  readonly splitAt?: number;
  readonly seed: number;
}

export interface Report {
  readonly eventsPerSecond: number;
  readonly requestsPerSecond: number;
  readonly shards: number;
  /** From the edge to the commit, ms; readers see it at their next poll, up to a second later. */
  readonly freshness: { readonly p50: number; readonly p99: number; readonly worst: number };
  /** Part of the requests that a full shard refused; browsers send them again. */
  readonly throttled: number;
  /** Part of the time that the busiest shard's function was running. */
  readonly busy: number;
  readonly invocationsPerSecond: number;
  readonly writeUnitsPerSecond: number;
  /** Of the busiest partition. */
  readonly partitionWriteUnits: number;
  /** Part of the time that the one compaction needs; beyond 1 answers get slower, not wrong. */
  readonly compaction: number;
  /** What stands in the way, in words; empty when nothing does. */
  readonly limits: readonly string[];
}

/** Shards for a load, at `headroom` of their limits in records and in bytes. */
export function shardsFor(
  eventsPerSecond: number,
  { eventsPerRequest, recordBytes, headroom }: Parameters,
): number {
  const requests = eventsPerSecond / eventsPerRequest;
  const full = Math.max(
    requests / SHARD_RECORDS_PER_SECOND,
    (requests * recordBytes) / SHARD_BYTES_PER_SECOND,
  );
  return Math.max(1, Math.ceil(full / headroom));
}

/** Shards are alike but for chance: a few of them tell of all. */
const MAX_SIMULATED = 8;

export function simulate(load: Load, parameters: Parameters = MEASURED): Report {
  const { eventsPerSecond, seconds = 60, splitAt, seed } = load;
  const shards = load.shards ?? shardsFor(eventsPerSecond, parameters);
  const requestsPerSecond = eventsPerSecond / parameters.eventsPerRequest;
  const random = generator(seed);
  const simulated = Math.min(shards, MAX_SIMULATED);
  const lanes = Array.from({ length: simulated }, () => {
    const rate = requestsPerSecond / shards;
    const endMs = seconds * 1_000;
    if (splitAt === undefined)
      return [simulateShard(rate, { fromMs: 0, endMs, readableMs: 0 }, parameters, random)];
    const fromMs = splitAt * 1_000;
    const parent = simulateShard(rate, { fromMs: 0, endMs: fromMs, readableMs: 0 }, parameters, random);
    // The order of a visitor's records: a half is not read before all of its parent is counted.
    const half = { fromMs, endMs, readableMs: Math.max(fromMs, parent.countedMs) + parameters.openShardMs };
    const halves = [1, 2].map(() => simulateShard(rate / 2, half, parameters, random));
    // Split at the very beginning, a parent has no time of which it could be busy for a part.
    return fromMs > 0 ? [parent, ...halves] : halves;
  }).flat();
  const delays = lanes.flatMap(({ delays }) => delays).sort((a, b) => a - b);
  const at = (part: number): number =>
    delays[Math.min(delays.length - 1, Math.floor(part * delays.length))] ?? 0;
  const sum = (of: (lane: Lane) => number): number => lanes.reduce((total, lane) => total + of(lane), 0);
  const offered = sum(({ offered }) => offered);
  const scale = shards / simulated / seconds;
  const report = {
    eventsPerSecond,
    requestsPerSecond,
    shards,
    freshness: { p50: at(0.5), p99: at(0.99), worst: at(1) },
    throttled: offered === 0 ? 0 : sum(({ refused }) => refused) / offered,
    busy: Math.max(...lanes.map(({ busyMs, lifeMs }) => busyMs / lifeMs)),
    invocationsPerSecond: sum(({ invocations }) => invocations) * scale,
    writeUnitsPerSecond: sum(({ writeUnits }) => writeUnits) * scale,
    partitionWriteUnits: Math.max(...lanes.map(({ writeUnits, lifeMs }) => (writeUnits * 1_000) / lifeMs)),
    compaction: (eventsPerSecond * 60 * parameters.compactEventMs) / COMPACT_BUDGET_MS,
  };
  return { ...report, limits: limitsOf(report) };
}

function limitsOf(report: Omit<Report, "limits">): string[] {
  const limits: string[] = [];
  const percent = (part: number): string => `${Math.round(part * 100)} %`;
  if (report.throttled > 0.001)
    limits.push(`full shards refuse ${percent(report.throttled)} of the requests: add shards`);
  if (report.busy > 0.9)
    limits.push(`counting takes ${percent(report.busy)} of a shard's time: add shards or memory`);
  if (report.partitionWriteUnits > PARTITION_WRITE_UNITS)
    limits.push(
      `${Math.round(report.partitionWriteUnits)} write units a second into one shard's commits, of ${PARTITION_WRITE_UNITS}`,
    );
  if (report.writeUnitsPerSecond > TABLE_FIRST_WRITE_UNITS)
    limits.push(
      `a new table takes ${TABLE_FIRST_WRITE_UNITS} write units a second, not ${Math.round(report.writeUnitsPerSecond)}: warm it up, or let traffic grow over an hour`,
    );
  if (report.compaction > 1)
    limits.push(
      `the one compaction needs ${percent(report.compaction)} of the time: answers read longer logs`,
    );
  return limits;
}

interface Lane {
  readonly lifeMs: number;
  /** When the last batch was counted. */
  readonly countedMs: number;
  readonly delays: number[];
  readonly offered: number;
  readonly refused: number;
  readonly busyMs: number;
  readonly invocations: number;
  readonly writeUnits: number;
}

/** When a shard takes records, and from when on it is read. */
interface Life {
  readonly fromMs: number;
  readonly endMs: number;
  readonly readableMs: number;
}

/** One shard: arrivals by chance, a poll each second, batches one after the other. */
function simulateShard(
  rate: number,
  { fromMs, endMs, readableMs }: Life,
  parameters: Parameters,
  random: () => number,
): Lane {
  const { eventsPerRequest, recordBytes, invocationMs, eventMs, commitBytes, eventBytes, sharing } =
    parameters;
  const lane = { delays: [] as number[], offered: 0, refused: 0, busyMs: 0, invocations: 0, writeUnits: 0 };
  const perSecond = Math.floor(Math.min(SHARD_RECORDS_PER_SECOND, SHARD_BYTES_PER_SECOND / recordBytes));
  const waiting: number[] = [];
  let arrival = fromMs + gap(rate, random);
  let second = 0;
  let taken = 0;
  let freeAt = 0;
  let countedMs = fromMs;
  for (let poll = readableMs + random() * POLL_MS; poll < endMs + 10 * POLL_MS; poll += POLL_MS) {
    for (; arrival <= poll && arrival < endMs; arrival += gap(rate, random)) {
      const its = Math.floor(arrival / 1_000);
      if (its !== second) [second, taken] = [its, 0];
      lane.offered += 1;
      // A browser that was refused tries again, at some later time that is not simulated: it is counted as refused.
      if (taken++ >= perSecond) lane.refused += 1;
      else waiting.push(arrival);
    }
    let from = Math.max(poll, freeAt);
    while (waiting.length > 0 && from < poll + POLL_MS) {
      const batch = waiting.splice(0, BATCH_RECORDS);
      const events = batch.length * eventsPerRequest;
      const took = invocationMs + events * eventMs;
      from += took;
      lane.busyMs += took;
      lane.invocations += 1;
      const bytes = commitBytes + eventBytes * events ** sharing;
      // A commit beyond its limit is split: each part is an item of its own.
      lane.writeUnits += Math.ceil(bytes / 1_024) + Math.floor(bytes / MAX_COMMIT_BYTES);
      for (const at of batch) lane.delays.push(from - at);
      countedMs = from;
    }
    freeAt = from;
  }
  return { ...lane, lifeMs: endMs - fromMs, countedMs };
}

/** Until the next arrival, ms: independent clicks are exponentially apart. */
const gap = (rate: number, random: () => number): number => (-Math.log(1 - random()) / rate) * 1_000;

/** Mulberry32: 32 bits of state are plenty for a minute of chance. https://gist.github.com/tommyettinger/46a874533244883189143505d203312c */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
