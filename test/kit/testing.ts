/** `rivulet/testing`: replay a recorded stream in your own tests, generate one, set the clock by hand, and let things fail. */
export type { StreamLine } from "../../processors/model/streamfile.ts";
export { memoryStore } from "../../processors/stores/memory.ts";
export {
  type MemoryStream,
  type MemoryStreamOptions,
  memoryStream,
} from "../../processors/streams/memory.ts";
export { type ManualClock, manualClock } from "./clock.ts";
export { type ChoiceList, type Choices, randomChoices, replayChoices } from "./faults/choices.ts";
export { type JumpingClock, jumpingClock, wildClock } from "./faults/clock.ts";
export {
  type Call,
  type Fate,
  failAt,
  failAtRecord,
  firstOf,
  only,
  outage,
  type Plan,
  pass,
  sometimes,
} from "./faults/fate.ts";
export { type FaultyStoreOptions, faultyStore, LateWrites } from "./faults/store.ts";
export { type FaultyStreamOptions, faultyStream, reshard, reshardAt } from "./faults/stream.ts";
export { type Step, Turns, type TurnsOptions, type Waiting } from "./faults/turns.ts";
export { generate, type TrafficOptions } from "./generate.ts";
export { type Container, type ContainerOptions, startContainer } from "./lambda/container.ts";
export type { Bucket } from "./lambda/failure.ts";
export { EventSourceMapping, type MappingOptions, type MappingReport } from "./lambda/mapping.ts";
export { containerPool, type Pool } from "./lambda/pool.ts";
export { type MappingProperties, type MappingSettings, mappingSettings } from "./lambda/settings.ts";
export { Random } from "./random.ts";
export { type ReplayOptions, type ReplayResult, replay } from "./replay.ts";
