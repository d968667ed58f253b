/** A stream in front of another, whose calls meet the fates that a plan decides; and splits and merges at random. Knows nothing of the data. */
import { ClickstreamError } from "../../../processors/errors.ts";
import type { MemoryStream } from "../../../processors/streams/memory.ts";
import type { Stream } from "../../../processors/streams/stream.ts";
import type { Random } from "../random.ts";
import type { Call, Plan } from "./fate.ts";

export interface FaultyStreamOptions {
  /** Called once when the client behind this wrapper has crashed. */
  readonly died?: () => void;
}

/**
 * The wrapped stream is not closed by `close`. Puts of one partition key stay in the order they were given, whatever a
 * plan delays: as on one connection. Puts of different keys may pass each other.
 */
export function faultyStream(stream: Stream, plan: Plan, { died }: FaultyStreamOptions = {}): Stream {
  let number = 0;
  let records = 0;
  let isDead = false;
  const last = new Map<string, Promise<unknown>>();
  /** Where each shard's last read began. */
  const begun = new Map<string, string>();
  const die = (): Promise<never> => {
    if (!isDead) died?.();
    isDead = true;
    return new Promise(() => {});
  };
  /** `works` by fate; a fate that the call does not know passes. */
  const call = async <T>(
    name: Call["name"],
    key: string,
    works: { readonly pass: () => Promise<T>; readonly [fate: string]: () => Promise<T> },
  ): Promise<T> => {
    if (isDead) return die();
    const writes = name === "put" || name === "trim";
    const asked: Call = { number: ++number, name, key, writes, records };
    const fate = await plan(asked);
    const said = `injected ${fate} at stream call ${asked.number} (${name} ${key})`;
    switch (fate) {
      case "throttle":
        throw new ClickstreamError("throttled", said);
      case "fail":
      case "hold":
        throw new ClickstreamError("unavailable", said);
      case "timeout":
        await works.pass();
        throw new ClickstreamError("unavailable", said);
      case "crash":
        return die();
      case "crash-after":
        await works.pass();
        return die();
      default:
        return (works[fate] ?? works.pass)();
    }
  };
  return {
    put(record) {
      const sent = { ...record, data: record.data.slice() };
      const take = () => {
        records++;
        return stream.put(sent);
      };
      const twice = async () => {
        await take();
        return take();
      };
      const before = last.get(record.partitionKey) ?? Promise.resolve();
      const turn = before.then(() => call("put", record.partitionKey, { pass: take, twice }));
      last.set(
        record.partitionKey,
        turn.catch(() => {}),
      );
      return turn;
    },
    shards: () => call("shards", "", { pass: () => stream.shards() }),
    read(shard, after, limit) {
      const from = async (start: string, most: number) => {
        const found = await stream.read(shard, start, most);
        begun.set(shard, start);
        records += found.records.length;
        return found;
      };
      return call("read", shard, {
        pass: () => from(after, limit),
        one: () => from(after, 1),
        nothing: async () => ({ records: [], atEnd: false, caughtUp: false }),
        // An older batch again, and what comes after it as far as the limit goes.
        twice: () => from(begun.get(shard) ?? "", limit),
      });
    },
    trim: (shard, through) => call("trim", shard, { pass: () => stream.trim(shard, through) }),
    close: async () => {},
  };
}

/**
 * Splits an open shard or merges two neighbours, as an operator or automatic scaling does while records flow: the
 * children go on where their parents end. Returns the ids of the new shards.
 */
export async function reshard(stream: MemoryStream, random: Random): Promise<readonly string[]> {
  const open = (await stream.shards()).filter(({ closed }) => !closed).map(({ id }) => id);
  if (random.chance(0.5)) {
    const pairs = open.flatMap((a) => open.map((b) => [a, b] as const)).filter(([a, b]) => a < b);
    while (pairs.length > 0) {
      const [pair] = pairs.splice(random.below(pairs.length), 1);
      try {
        return [stream.merge(pair![0], pair![1])];
      } catch (error) {
        // Not neighbours; the stream alone knows the ranges.
        if (!(error instanceof ClickstreamError)) throw error;
      }
    }
  }
  return stream.split(random.pick(open));
}

/** Lets calls pass, but reshards before the n-th put: `reshardAt(stream, 20, random)`. */
export function reshardAt(stream: MemoryStream, n: number, random: Random): Plan {
  let puts = 0;
  return async ({ name }) => {
    if (name === "put" && ++puts === n) await reshard(stream, random);
    return "pass" as const;
  };
}
