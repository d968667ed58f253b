import { afterAll, beforeAll, expect, it } from "vitest";
import { batchPost, metrics, postLanes, query } from "../kit/client.ts";
import { poll, type ServerProcess, startServer } from "../kit/server.ts";
import { temporaryDirectory } from "../kit/temporary.ts";

const SITE = "demo";

const data = temporaryDirectory();
let server: ServerProcess;
beforeAll(async () => {
  // Enough for the files of a start and some of the load.
  server = await startServer({ data, maxFileKb: 2_000 });
});
afterAll(async () => {
  await server?.stop();
});

const batch = (number: number) =>
  batchPost({
    s: SITE,
    b: `b${number}`,
    c: { u: `https://example.com/${number % 50}` },
    e: [{ n: "pageview", p: { text: "x".repeat(1_900) } }],
  });
const counted = async (): Promise<unknown> =>
  (await query(server.url, { site_id: SITE, metrics: ["events"], date_range: "7d" })).results[0]?.metrics[0];

it("acknowledges nothing that the disk had no room for, says so, and loses nothing", async () => {
  const lanes = Array.from({ length: 4 }, (_, lane) =>
    Array.from({ length: 400 }, (_, i) => batch(lane * 400 + i)),
  );
  const statuses = new Map<number, number>();
  await postLanes(server.url, lanes, (_, status) => statuses.set(status, (statuses.get(status) ?? 0) + 1));
  const acknowledged = statuses.get(204) ?? 0;
  expect([...statuses.keys()].sort()).toEqual([204, 503]);
  expect(acknowledged).toBeGreaterThan(50);
  expect(server.output()).toMatch(/stream\.db could not be read or written.*disk/);
  expect(server.output()).not.toMatch(/\bat .*:\d+:\d+/);
  await server.kill("SIGKILL");

  server = await startServer({ data });
  await poll(async () => (await metrics(server.url)).get("rivulet_lag_seconds") === 0, {
    within: 10_000,
    what: "lag 0",
  });
  expect(await counted()).toBe(acknowledged);
});
