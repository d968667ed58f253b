/** The stream of clicks, for the functions that ask it. */
import { ENV, requireEnv } from "../env.ts";
import type { Stream } from "../streams/stream.ts";
import { lazy } from "./lazy.ts";

const name = requireEnv(process.env, ENV.stream);

export const clicks: Required<Stream> = lazy(async () => {
  const { kinesisStream } = await import("../streams/kinesis.ts");
  return kinesisStream({ stream: name });
});
