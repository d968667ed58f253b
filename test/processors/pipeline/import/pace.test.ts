import { expect, it } from "vitest";
import { Pace, shareOf } from "../../../../processors/pipeline/import/pace.ts";

const records = (count: number, bytes: number) =>
  Array.from({ length: count }, () => ({ data: new Uint8Array(bytes) }));

it("lets the first go at once, and what follows when the share has room for it", () => {
  const pace = new Pace({ bytesPerSecond: 1_000, recordsPerSecond: 100 });
  expect(pace.waitMs(records(1, 500), 0)).toBe(0);
  expect(pace.waitMs(records(1, 500), 0), "as many bytes as went before").toBe(500);
  expect(pace.waitMs(records(200, 1), 400), "what is left of the second").toBe(600);
  expect(pace.waitMs(records(1, 1), 1_000), "as many records as went before").toBe(2_000);
});

it("saves nothing up for later", () => {
  const pace = new Pace({ bytesPerSecond: 1_000, recordsPerSecond: 100 });
  pace.waitMs(records(1, 1_000), 0);
  expect(pace.waitMs(records(1, 1_000), 60_000)).toBe(0);
  expect(pace.waitMs(records(1, 1_000), 60_000)).toBe(1_000);
});

it("is a part of what so many shards take", () => {
  expect(shareOf(4, 1 / 8)).toEqual({ bytesPerSecond: 512 * 1024, recordsPerSecond: 500 });
});
