/** Keeps an import to a share of the stream, so that live traffic finds room. Tells how long to wait; waiting is done elsewhere. */
import type { EpochMs } from "../../model/time.ts";

export interface Share {
  readonly bytesPerSecond: number;
  readonly recordsPerSecond: number;
}

/** What a shard takes a second: https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html */
const SHARD: Share = { bytesPerSecond: 1024 * 1024, recordsPerSecond: 1_000 };

/** The part of so many shards; keys spread unevenly over few shards, so the fullest may get half as much again. */
export const shareOf = (shards: number, part: number): Share => ({
  bytesPerSecond: SHARD.bytesPerSecond * shards * part,
  recordsPerSecond: SHARD.recordsPerSecond * shards * part,
});

export class Pace {
  readonly #share: Share;
  #freeAt: EpochMs = Number.NEGATIVE_INFINITY;

  constructor(share: Share) {
    this.#share = share;
  }

  /** Books these records at the end of what was booked before; answers after how many ms they may go. */
  waitMs(records: readonly { readonly data: Uint8Array }[], now: EpochMs): number {
    const bytes = records.reduce((sum, { data }) => sum + data.length, 0);
    const { bytesPerSecond, recordsPerSecond } = this.#share;
    const startAt = Math.max(now, this.#freeAt);
    this.#freeAt = startAt + 1_000 * Math.max(bytes / bytesPerSecond, records.length / recordsPerSecond);
    return startAt - now;
  }
}
