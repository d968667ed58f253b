/** `rivulet/testing`: replay a recorded stream in your own tests, generate one, and set the clock by hand. */
export type { StreamLine } from "../../processors/model/streamfile.ts";
export { type ManualClock, manualClock } from "./clock.ts";
export { generate, type TrafficOptions } from "./generate.ts";
export { type Container, type ContainerOptions, startContainer } from "./lambda/container.ts";
export type { Bucket } from "./lambda/failure.ts";
export { EventSourceMapping, type MappingOptions, type MappingReport } from "./lambda/mapping.ts";
export { containerPool, type Pool } from "./lambda/pool.ts";
export { type MappingProperties, type MappingSettings, mappingSettings } from "./lambda/settings.ts";
export { type ReplayOptions, type ReplayResult, replay } from "./replay.ts";
