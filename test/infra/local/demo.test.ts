import { expect, it } from "vitest";
import { playDemo } from "../../../infra/local/demo.ts";
import type { Runtime } from "../../../infra/local/runtime.ts";

it("does not say that a week was counted when it was stopped in the middle of it", async () => {
  const lines: string[] = [];
  const runtime = {
    sites: [{ id: "demo", timeZone: "UTC" }],
    consumer: { counters: async () => ({ events: 0 }), lagMs: () => 1, wake: () => {} },
    stream: { put: async () => {} },
  } as unknown as Runtime;
  await playDemo(runtime, (line) => lines.push(line)).stop();
  expect(lines).toEqual([]);
});
