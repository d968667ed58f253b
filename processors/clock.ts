/** The machine's clock, handed to the pure core as an argument. */
import type { Clock } from "./model/time.ts";

export const systemClock: Clock = { now: () => Date.now() };
