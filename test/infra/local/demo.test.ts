/** The demo's traffic, stopped and started again. */
import { expect, it } from "vitest";
import { playDemo } from "../../../infra/local/demo.ts";
import type { Runtime } from "../../../infra/local/runtime.ts";
import { systemClock } from "../../../processors/clock.ts";
import { HOUR_MS } from "../../../processors/model/time.ts";
import { appendCommit, encodeCommit, registerShard } from "../../../processors/pipeline/commit.ts";
import { newCounters } from "../../../processors/pipeline/state.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import { poll } from "../../kit/server.ts";

function fakeRuntime({ lagMs }: { readonly lagMs: number }) {
  const store = memoryStore({ clock: systemClock });
  const times: number[] = [];
  const put = async ({ data }: { data: Uint8Array }) => {
    times.push(JSON.parse(new TextDecoder().decode(data)).at);
  };
  const runtime = {
    sites: [{ id: "demo", timeZone: "UTC" }],
    consumer: { lagMs: () => lagMs, wake: () => {} },
    stream: { put },
    grants: { store },
  } as unknown as Runtime;
  return { runtime, store, times };
}

it("does not say that a week was counted when it was stopped in the middle of it", async () => {
  const lines: string[] = [];
  const { runtime } = fakeRuntime({ lagMs: 1 });
  await playDemo(runtime, (line) => lines.push(line)).stop();
  expect(lines).toEqual([]);
});

it("goes on from where it was stopped, without a gap and without repeating what was counted", async () => {
  const lines: string[] = [];
  const { runtime, store, times } = fakeRuntime({ lagMs: 0 });
  const stoppedAt = Date.now() - 5 * HOUR_MS;
  await registerShard(store, "shard-0", []);
  const change = { n: 1, to: "1", ordinal: 1, watermark: stoppedAt, counters: newCounters() };
  const header = { from: "", committedAt: stoppedAt, arrivedAt: stoppedAt };
  const commit = encodeCommit(header, new Map(), { ...change, visitors: new Map(), batchIds: [] });
  await appendCommit(store, "shard-0", 1, commit);
  const demo = playDemo(runtime, (line) => lines.push(line));
  await poll(async () => lines.length > 0, { within: 20_000, what: "all counted" });
  await demo.stop();
  expect(lines).toEqual([expect.stringMatching(/about 1042 events and reports since it was stopped/)]);
  expect(Math.min(...times)).toBeGreaterThanOrEqual(stoppedAt);
  const hours = new Set(times.map((at) => Math.floor((at - stoppedAt) / HOUR_MS)));
  expect([0, 1, 2, 3, 4].every((hour) => hours.has(hour))).toBe(true);
});
