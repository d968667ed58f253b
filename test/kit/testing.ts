/** `rivulet/testing`: replay a recorded stream in your own tests, generate one, and set the clock by hand. */
export type { StreamLine } from "../../processors/model/streamfile.ts";
export { type ManualClock, manualClock } from "./clock.ts";
export { generate, type TrafficOptions } from "./generate.ts";
export { type ReplayOptions, type ReplayResult, replay } from "./replay.ts";
