import { expect, it } from "vitest";
import { memoryStream } from "../../../processors/streams/memory.ts";
import { describeStream } from "../../conformance/stream.ts";
import { manualClock } from "../../kit/clock.ts";

describeStream("memory", async ({ clock, shards }) => {
  const stream = memoryStream({ clock, shards });
  const reshard = {
    split: async (shard: string) => void stream.split(shard),
    merge: async (a: string, b: string) => void stream.merge(a, b),
  };
  return { stream, trims: true, usesClock: true, reshard };
});

it("throws throttled where the hook says so, and does not take the record", async () => {
  let puts = 0;
  const stream = memoryStream({ clock: manualClock(), throttle: () => ++puts === 1 });
  const record = { partitionKey: "a", data: new Uint8Array(1) };
  await expect(stream.put(record)).rejects.toMatchObject({ code: "throttled" });
  const { shard } = await stream.put(record);
  expect((await stream.read(shard, "", 10)).records).toHaveLength(1);
});

it("refuses to merge shards whose ranges do not touch", () => {
  const stream = memoryStream({ clock: manualClock(), shards: 3 });
  expect(() => stream.merge("shardId-000000000000", "shardId-000000000002")).toThrow("not adjacent");
});
