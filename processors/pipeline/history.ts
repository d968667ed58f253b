/** Which windows an import counts in. Knows no clock: how old an event is follows from when its record arrived, so that a replay decides the same. */
import { DAY_MS, type EpochMs, MINUTE_MS, windowStart } from "../model/time.ts";
import { MINUTE_KEEP_MS } from "./rollups.ts";

/**
 * The longest window that hours of every zone are made of: offsets have been whole quarters of an hour all over the
 * world since 1972, and imports begin in 2001.
 */
const QUARTER_MS = 15 * MINUTE_MS;
/** Beyond what minutes are kept for, so that no difference between clocks makes anybody ask for the minutes of these. */
const SETTLED_MS = DAY_MS;

/** Whether an event is so old that its minute would never be kept, by a site that keeps minutes for `keptMs`. */
export const isHistory = (at: EpochMs, arrivedAt: EpochMs, keptMs = MINUTE_KEEP_MS): boolean =>
  at < arrivedAt - keptMs - SETTLED_MS;

/** Start of the window that an imported event is counted in, whose record arrived at `arrivedAt`: of history a quarter of an hour. */
export const importedWindow = (at: EpochMs, arrivedAt: EpochMs, keptMs = MINUTE_KEEP_MS): EpochMs =>
  windowStart(at, isHistory(at, arrivedAt, keptMs) ? QUARTER_MS : MINUTE_MS);
