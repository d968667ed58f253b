/** Time as the pipeline sees it: instants are epoch milliseconds, windows are half-open and aligned. Knows no clock. */

/** Milliseconds since 1970-01-01T00:00Z. */
export type EpochMs = number;

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** Tells the time; the only way that code outside the pure core learns what "now" is. */
export interface Clock {
  now(): EpochMs;
}

/** Start of the tumbling window that owns `at`. Windows are half-open: [start, start + lengthMs), aligned to the epoch. */
export const windowStart = (at: EpochMs, lengthMs: number): EpochMs => Math.floor(at / lengthMs) * lengthMs;

/**
 * How long after its end a window still counts as open. A minute covers a batch that waits for a slow network; what is
 * later is an offline queue: counted all the same, and reported as late.
 */
export const ALLOWED_LATENESS_MS = MINUTE_MS;
