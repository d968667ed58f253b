import type { KinesisStreamRecord } from "aws-lambda";
import { describe, expect, it } from "vitest";
import { shardBatch } from "../../../processors/handlers/batch.ts";

const record = (over: { shard?: string; data?: string; arrival?: number } = {}): KinesisStreamRecord => ({
  awsRegion: "us-east-1",
  eventID: `${over.shard ?? "shardId-000000000006"}:49590338271490256608559692538361571095921575989136588898`,
  eventName: "aws:kinesis:record",
  eventSource: "aws:kinesis",
  eventSourceARN: "arn:aws:kinesis:us-east-1:123456789012:stream/clicks",
  eventVersion: "1.0",
  invokeIdentityArn: "arn:aws:iam::123456789012:role/aggregate",
  kinesis: {
    kinesisSchemaVersion: "1.0",
    partitionKey: "a:example.com:203.0.113.9:Firefox",
    sequenceNumber: "49590338271490256608559692538361571095921575989136588898",
    data: over.data ?? Buffer.from("{}").toString("base64"),
    approximateArrivalTimestamp: over.arrival ?? 1545084650.987,
  },
});

describe("a batch of a shard", () => {
  it("names the shard, and keeps sequence numbers as text, because they do not fit a number", () => {
    const { shard, records } = shardBatch({ Records: [record()] });
    expect(shard).toBe("shardId-000000000006");
    expect(records[0]!.sequence).toBe("49590338271490256608559692538361571095921575989136588898");
    expect(records[0]!.partitionKey).toBe("a:example.com:203.0.113.9:Firefox");
  });

  it.each([
    { seconds: 1545084650.987, ms: 1545084650987 },
    { seconds: 1763800000.001, ms: 1763800000001 },
    { seconds: 1763800000, ms: 1763800000000 },
  ])("turns $seconds seconds into whole milliseconds", ({ seconds, ms }) => {
    expect(shardBatch({ Records: [record({ arrival: seconds })] }).records[0]!.arrivalAt).toBe(ms);
  });

  it("carries bytes, whatever they are", () => {
    const bytes = new Uint8Array([0, 255, 0xf3, 0x89, 0x9a, 0xc2]);
    const data = Buffer.from(bytes).toString("base64");
    expect(shardBatch({ Records: [record({ data })] }).records[0]!.data).toEqual(Buffer.from(bytes));
  });

  it("keeps the order of the records", () => {
    const texts = ["first", "second", "third"];
    const Records = texts.map((text) => record({ data: Buffer.from(text).toString("base64") }));
    expect(shardBatch({ Records }).records.map(({ data }) => new TextDecoder().decode(data))).toEqual(texts);
  });

  it("is never of two shards, nor of none: one checkpoint could not cover it", () => {
    const mixed = [record({ shard: "shardId-1" }), record({ shard: "shardId-2" })];
    expect(() => shardBatch({ Records: mixed })).toThrow(/shardId-1,shardId-2/);
    expect(() => shardBatch({ Records: [] })).toThrow(expect.objectContaining({ code: "invariant" }));
  });
});
