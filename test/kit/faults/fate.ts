/**
 * What may become of one call to a store or a stream, and plans that decide it: small functions that are put together.
 * A plan knows calls only; what a fate does is up to the wrapper that asks (faultyStore, faultyStream).
 */
import type { Random } from "../random.ts";

/** One call on its way. */
export interface Call {
  /** 1 for the first call through this wrapper. */
  readonly number: number;
  readonly name: "get" | "getMany" | "list" | "put" | "delete" | "read" | "shards" | "trim";
  /** What it is about, for plans that look at it and for traces: `pk sk` in a store; shard or partition key in a stream. */
  readonly key: string;
  readonly writes: boolean;
  /** Stream only: records that went through this wrapper before, put or read. */
  readonly records: number;
}

/**
 * - `pass`: nothing happens to it.
 * - `throttle`: refused, no effect. The service asks to slow down (DynamoDB ThrottlingException, Kinesis ProvisionedThroughputExceeded).
 * - `fail`: no effect, `unavailable`. The request never arrived: connection refused, host gone, disk full.
 * - `timeout`: it took effect, but the caller gets `unavailable`. The answer was lost; the caller cannot know.
 * - `hold`: the caller gets `unavailable`, and the write lands later or never. A request that a router, a retry of the
 *   operating system or a paused process kept back; the write of a zombie. A read that is held just fails.
 * - `crash`: no effect, and no answer for this and all later calls: not even the caller's `catch` and `finally` run, as
 *   after SIGKILL, a power cut or a frozen Lambda sandbox.
 * - `crash-after`: the same, but the call took effect first.
 * - `twice`: stream only. A put is taken twice (a producer that repeats after a lost answer); a read gives records again
 *   that were given before (an event source that retries a batch).
 * - `nothing`: stream only. A read finds nothing yet: records are on their way, or an iterator is behind.
 * - `one`: stream only. A read gives one record, whatever was asked for.
 */
export type Fate =
  | "pass"
  | "throttle"
  | "fail"
  | "timeout"
  | "hold"
  | "crash"
  | "crash-after"
  | "twice"
  | "nothing"
  | "one";

/** Decides each call's fate. A plan that waits delays the call: that is how calls of several clients are interleaved. */
export type Plan = (call: Call) => Fate | Promise<Fate>;

export const pass: Plan = () => "pass";

/** The n-th call has this fate, the others pass: a fault at one exact point. */
export const failAt =
  (n: number, fate: Fate = "fail"): Plan =>
  ({ number }) =>
    number === n ? fate : "pass";

/** The calls from..to (both included) have this fate: an outage that ends. */
export const outage =
  (from: number, to: number, fate: Fate = "fail"): Plan =>
  ({ number }) =>
    number >= from && number <= to ? fate : "pass";

/**
 * Reads give what comes before record n (1 is the first), then fail `times` times: a record that poisons its batch,
 * until whoever retries it has had enough.
 */
export function failAtRecord(n: number, times = 1): Plan {
  let left = times;
  return ({ name, records }) => {
    if (name !== "read" || left === 0) return "pass";
    if (records < n - 1) return "one";
    left--;
    return "fail";
  };
}

/** Each call meets each fault with its chance, drawn from the seed: `sometimes(random, { throttle: 0.05, timeout: 0.02 })`. */
export function sometimes(random: Random, chances: Readonly<Partial<Record<Fate, number>>>): Plan {
  const fates = Object.entries(chances) as [Fate, number][];
  return () => {
    let draw = random.unit();
    for (const [fate, chance] of fates) {
      draw -= chance;
      if (draw < 0) return fate;
    }
    return "pass";
  };
}

/** Applies `plan` to the calls that `test` picks and lets the others pass. Calls not picked do not count for `failAt`. */
export function only(test: (call: Call) => boolean, plan: Plan): Plan {
  let picked = 0;
  return (call) => (test(call) ? plan({ ...call, number: ++picked }) : "pass");
}

/** Of several plans the first that does not let a call pass decides; all are asked in turn until then. */
export const firstOf =
  (...plans: readonly Plan[]): Plan =>
  async (call) => {
    for (const plan of plans) {
      const fate = await plan(call);
      if (fate !== "pass") return fate;
    }
    return "pass";
  };
