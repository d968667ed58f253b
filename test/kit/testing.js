// What `rivulet/testing` loads: in a checkout the sources; in a package, where Node runs no TypeScript, what was compiled.
import { existsSync } from "node:fs";

const sources = new URL("testing.ts", import.meta.url);
const compiled = new URL("../../dist/test/kit/testing.js", import.meta.url);
const kit = await import((existsSync(sources) ? sources : compiled).href);

export const {
  EventSourceMapping,
  LateWrites,
  Random,
  Turns,
  containerPool,
  failAt,
  failAtRecord,
  faultyStore,
  faultyStream,
  firstOf,
  generate,
  jumpingClock,
  manualClock,
  mappingSettings,
  memoryStore,
  memoryStream,
  only,
  outage,
  pass,
  randomChoices,
  replay,
  replayChoices,
  reshard,
  reshardAt,
  sometimes,
  startContainer,
  wildClock,
} = kit;
