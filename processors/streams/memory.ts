/** The stream in plain memory, with Kinesis' hashing, sequence numbers and resharding: for tests and replays. Keeps nothing. */
import { ClickstreamError, invariant } from "../errors.ts";
import type { Clock } from "../model/time.ts";
import { checkRecord, evenRanges, type HashRange, hashKey, isWithin, shardId } from "./partition.ts";
import { compareSequences, type Stream, type StreamRecord } from "./stream.ts";

export interface MemoryStreamOptions {
  readonly clock: Clock;
  /** Shards at the start. Default 1. */
  readonly shards?: number;
  /** Asked before every put: true throws `throttled`, and the record is not taken. */
  readonly throttle?: (record: { readonly partitionKey: string; readonly data: Uint8Array }) => boolean;
}

export interface MemoryStream extends Stream {
  /** Closes the shard and opens two for the halves of its range. @returns the ids of the two, lower half first. */
  split(shard: string): readonly [string, string];
  /** Closes two shards with adjacent ranges and opens one for both. @returns its id. */
  merge(a: string, b: string): string;
}

interface Lane {
  readonly id: string;
  readonly parents: readonly string[];
  readonly range: HashRange;
  closed: boolean;
  records: StreamRecord[];
}

/** As long as Kinesis' own, so that nobody gets away with comparing them as numbers. */
const FIRST_SEQUENCE = 49_600_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000n;

/** A stream that forgets everything when the process ends. Data is copied in. */
export function memoryStream({ clock, shards = 1, throttle }: MemoryStreamOptions): MemoryStream {
  const lanes = new Map<string, Lane>();
  let made = 0;
  let last = FIRST_SEQUENCE;

  const open = (range: HashRange, parents: readonly string[]): string => {
    const id = shardId(made++);
    lanes.set(id, { id, parents, range, closed: false, records: [] });
    return id;
  };
  const find = (id: string): Lane => {
    const lane = lanes.get(id);
    if (lane === undefined) throw new ClickstreamError("not_found", `shard ${id} is not in the stream`);
    return lane;
  };
  const close = (id: string): Lane => {
    const lane = find(id);
    invariant(!lane.closed, () => `shard ${id} is closed, resharding needs an open one`);
    lane.closed = true;
    return lane;
  };
  for (const range of evenRanges(shards)) open(range, []);

  return {
    async put(record) {
      checkRecord(record);
      if (throttle?.(record)) throw new ClickstreamError("throttled", "stream: over its rate");
      const hash = hashKey(record.partitionKey);
      const lane = [...lanes.values()].find((it) => !it.closed && isWithin(hash, it.range))!;
      const sequence = String(++last);
      const { partitionKey } = record;
      lane.records.push({ sequence, partitionKey, arrivalAt: clock.now(), data: record.data.slice() });
      return { shard: lane.id, sequence };
    },
    async shards() {
      // Made in order, so parents come before their children.
      return [...lanes.values()].map(({ id, parents, closed }) => ({
        id,
        parents: parents.filter((parent) => lanes.has(parent)),
        closed,
      }));
    },
    async read(shard, after, limit) {
      const { records, closed } = find(shard);
      const start = firstAfter(records, after);
      const found = records.slice(start, start + limit);
      const caughtUp = start + found.length === records.length;
      return { records: found, atEnd: closed && caughtUp, caughtUp };
    },
    async trim(shard, through) {
      const lane = find(shard);
      lane.records = lane.records.slice(firstAfter(lane.records, through));
      if (lane.closed && lane.records.length === 0) lanes.delete(shard);
    },
    async close() {},
    split(id) {
      const { from, to } = close(id).range;
      const middle = (from + to) / 2n;
      return [open({ from, to: middle }, [id]), open({ from: middle, to }, [id])];
    },
    merge(a, b) {
      const [low, high] = [find(a), find(b)].toSorted((x, y) => (x.range.from < y.range.from ? -1 : 1));
      invariant(low!.range.to === high!.range.from, () => `shards ${a} and ${b} are not adjacent`);
      close(a);
      close(b);
      return open({ from: low!.range.from, to: high!.range.to }, [a, b]);
    },
  };
}

/** Index of the first record beyond `after`. */
function firstAfter(records: readonly StreamRecord[], after: string): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareSequences(records[middle]!.sequence, after) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
