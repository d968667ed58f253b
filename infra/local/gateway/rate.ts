/** Token buckets: how often one may ask. Bounded in memory whatever number of clients there is. */
import type { Clock } from "../../../processors/model/time.ts";

export interface RateLimit {
  /** What a bucket regains each second. */
  readonly perSecond: number;
  /** What a full bucket holds: requests at once after a pause. */
  readonly burst: number;
}

/** A bucket that was not used for long is full, and a full one need not be kept. */
const MAX_BUCKETS = 10_000;
const TOKEN = 1_000;

export class TokenBuckets {
  readonly #limit: RateLimit;
  readonly #clock: Clock;
  /** Least lately used first. */
  readonly #buckets = new Map<string, { credit: number; at: number }>();

  constructor(limit: RateLimit, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
  }

  /** Takes a token. Returns 0, or how many ms to wait for one. */
  take(key: string): number {
    const { perSecond, burst } = this.#limit;
    const now = this.#clock.now();
    const known = this.#buckets.get(key);
    this.#buckets.delete(key);
    // In thousandths of a token: whole numbers, so that nobody waits a rounding error longer than told.
    const passed = known ? Math.max(0, now - known.at) : 0;
    const credit = known ? Math.min(burst * TOKEN, known.credit + passed * perSecond) : burst * TOKEN;
    const isTaken = credit >= TOKEN;
    this.#buckets.set(key, { credit: isTaken ? credit - TOKEN : credit, at: now });
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= MAX_BUCKETS) break;
      this.#buckets.delete(oldest);
    }
    return isTaken ? 0 : Math.ceil((TOKEN - credit) / perSecond);
  }
}

/** One customer of an IPv6 network has 2^64 addresses: they share a bucket. */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail] = (address.split("%", 1)[0] ?? "").split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros =
    tail === undefined ? [] : Array<string>(Math.max(0, 8 - front.length - back.length)).fill("0");
  return [...front, ...zeros, ...back].slice(0, 4).join(":");
}
