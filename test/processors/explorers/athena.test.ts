import { AthenaClient } from "@aws-sdk/client-athena";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { athenaExplorer } from "../../../processors/explorers/athena.ts";
import type { Explorer } from "../../../processors/explorers/explorer.ts";
import { type FakeAthena, fakeAthena } from "../../kit/athena.ts";
import { manualClock } from "../../kit/clock.ts";

const NOW = Date.UTC(2026, 10, 23, 12);
const clock = manualClock(NOW);
let service: FakeAthena;
let client: AthenaClient;
let explorer: Explorer;
let rows: (string | null)[][];

const open = (): Explorer =>
  athenaExplorer({
    workgroup: "rivulet",
    database: "rivulet",
    table: "events",
    timeoutMs: 60_000,
    client,
    now: () => clock.now(),
    wait: async (ms) => clock.advance(ms),
  });

beforeEach(async () => {
  rows = [["1", null]];
  service = await fakeAthena(
    () => rows,
    () => clock.now(),
  );
  client = new AthenaClient({
    region: "eu-central-1",
    endpoint: service.endpoint,
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
    maxAttempts: 2,
  });
  explorer = open();
});
afterEach(async () => {
  client.destroy();
  await service.close();
});

const STATEMENT = { text: "SELECT 1 WHERE 'a' = ? AND 1 < ?", values: ["it's", 7] };

describe("Athena", () => {
  it("gives texts as quoted literals, apart from the statement", async () => {
    await explorer.run(STATEMENT, 10_000);
    expect(service.runs[0]).toMatchObject({
      text: STATEMENT.text,
      parameters: ["'it''s'", "7"],
      workgroup: "rivulet",
    });
  });

  it("reads every page, and the header of the first is no row", async () => {
    rows = Array.from({ length: 2_500 }, (_, i) => [String(i), i % 2 === 0 ? null : "x"]);
    expect(await explorer.run(STATEMENT, 10_000)).toEqual({ rows });
    expect(service.calls.filter((name) => name === "GetQueryResults")).toHaveLength(3);
  });

  it("goes on with a run that was left, in another process too", async () => {
    service.looksUntilDone = 6;
    const first = await explorer.run(STATEMENT, 500);
    expect(first).toMatchObject({ rows: undefined, progress: { done: undefined } });
    expect(await open().run(STATEMENT, 60_000)).toEqual({ rows });
    expect(service.runs).toHaveLength(1);
  });

  it("runs a statement anew for other values, and after some minutes", async () => {
    await explorer.run(STATEMENT, 10_000);
    await explorer.run({ ...STATEMENT, values: ["it's", 8] }, 10_000);
    clock.advance(6 * 60_000);
    await explorer.run(STATEMENT, 10_000);
    expect(service.runs).toHaveLength(3);
  });

  it("cancels what takes longer than its limit, and names the limit", async () => {
    service.looksUntilDone = 10_000;
    await expect(explorer.run(STATEMENT, 600_000)).rejects.toMatchObject({
      code: "bad_request",
      message: expect.stringContaining("more than 60 s"),
    });
    expect(service.runs[0]?.stoppedAt).toBeGreaterThan(NOW + 60_000);
    await expect(open().run(STATEMENT, 600_000), "the same question again").rejects.toMatchObject({
      code: "bad_request",
    });
    expect(service.runs).toHaveLength(1);
  });

  it("goes on with a run that was left, beyond the minutes in which its token finds it", async () => {
    service.looksUntilDone = 6;
    clock.advanceTo(Math.ceil(clock.now() / 300_000) * 300_000 - 1_000);
    expect(await explorer.run(STATEMENT, 500)).toMatchObject({ rows: undefined });
    clock.advance(2_000);
    expect(await explorer.run(STATEMENT, 60_000)).toEqual({ rows });
    expect(service.runs).toHaveLength(1);
  });

  it("begins another run once one has failed, instead of finding the failure again for minutes", async () => {
    service.failure = "HIVE_CANNOT_OPEN_SPLIT: Slow Down";
    for (const explores of [explorer, open(), open()])
      await expect(explores.run(STATEMENT, 10_000)).rejects.toMatchObject({ code: "unavailable" });
    expect(service.runs).toHaveLength(3);
    service.failure = undefined;
    expect(await open().run(STATEMENT, 10_000)).toEqual({ rows });
    expect(await open().run(STATEMENT, 10_000)).toEqual({ rows });
    expect(service.runs, "the one that succeeded is found again").toHaveLength(4);
  });

  it.each([
    [
      "Query cancelled! : Bytes scanned limit was exceeded",
      "bad_request",
      /more bytes than one question may/,
    ],
    ["Query exhausted resources at this scale factor", "bad_request", /more memory than there is/],
    ["INVALID_FUNCTION_ARGUMENT: invalid pattern", "bad_request", /patterns/],
    ["HIVE_CANNOT_OPEN_SPLIT: Slow Down", "unavailable", /failed/],
  ])("says of %s what it means", async (reason, code, message) => {
    service.failure = reason;
    await expect(explorer.run(STATEMENT, 10_000)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  it("is throttled only when trying again did not help", async () => {
    service.throttled = 1;
    await expect(explorer.run(STATEMENT, 10_000)).resolves.toEqual({ rows });
    service.throttled = 100;
    await expect(explorer.run({ ...STATEMENT, text: `${STATEMENT.text} ` }, 10_000)).rejects.toMatchObject({
      code: "throttled",
    });
  });

  it("refuses a value that the service would not take", async () => {
    await expect(
      explorer.run({ text: "SELECT ?", values: ["a".repeat(1_023)] }, 1_000),
    ).rejects.toMatchObject({
      code: "bad_request",
    });
    expect(service.calls).toEqual([]);
  });
});
