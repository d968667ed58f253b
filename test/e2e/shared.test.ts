import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { metrics, postLanes } from "../kit/client.ts";
import { poll, type ServerProcess, startServer } from "../kit/server.ts";
import { temporaryDirectory } from "../kit/temporary.ts";
import { differences } from "./check.ts";
import { makeLoad } from "./load.ts";

const SITE = "example.com";
const SEED = Number(process.env.RIVULET_SEED ?? 17);
const load = makeLoad({ site: SITE, seed: SEED, batches: 300, now: Date.now() });

const data = temporaryDirectory();
let servers: ServerProcess[] = [];
beforeAll(async () => {
  const args = ["--site", SITE, "--trust-proxy"];
  servers = [await startServer({ data, args }), await startServer({ data, args })];
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
});

describe(`two processes on the same files, as after a start that forgot the old one (RIVULET_SEED=${SEED})`, () => {
  it("say so where the second one starts", () => {
    const says = servers.map((server) => server.output().includes("another process counts here too"));
    expect(says).toEqual([false, true]);
  });

  it("count every batch once, while one of them is frozen and thawed in the middle", async () => {
    const [first, second] = servers as [ServerProcess, ServerProcess];
    const sent = load.lanes.flat().length;
    const statuses = new Set<number>();
    let answers = 0;
    const answered = (_: unknown, status: number): void => {
      statuses.add(status);
      answers++;
      // Whoever sleeps believes that it still owns the next slot of the log when it wakes.
      if (answers === Math.floor(sent / 4)) process.kill(second.pid, "SIGSTOP");
      if (answers === Math.floor(sent / 2)) process.kill(second.pid, "SIGCONT");
    };
    await postLanes(first.url, load.lanes, answered);
    expect([...statuses]).toEqual([204]);
    for (const { url } of servers) {
      await poll(async () => (await metrics(url)).get("rivulet_records_total") === sent, {
        within: 10_000,
        what: "all records, in both",
      });
      expect(await differences(url, SITE, load.happenings)).toEqual([]);
    }
    for (const server of servers) expect(server.output()).not.toMatch(/\bat .*:\d+:\d+/);
  });

  it("go on alone when the other is killed", async () => {
    const [first, second] = servers as [ServerProcess, ServerProcess];
    await first.kill("SIGKILL");
    const again = load.lanes[0]!.slice(0, 5);
    await postLanes(second.url, [again], () => {});
    const records = load.lanes.flat().length + again.length;
    await poll(async () => (await metrics(second.url)).get("rivulet_records_total") === records, {
      within: 10_000,
      what: "the repeats",
    });
    expect(await differences(second.url, SITE, load.happenings)).toEqual([]);
  });
});
