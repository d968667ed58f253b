import { describe, expect, it } from "vitest";
import { isCompactionDue } from "../../../processors/pipeline/cadence.ts";
import { registerShard } from "../../../processors/pipeline/commit.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import { manualClock } from "../../kit/clock.ts";
import { MINUTE, NOON, post, view } from "./lines.ts";
import { compactAll, recordsOf, rig } from "./rig.ts";

const start = NOON + 4 * MINUTE;

/** Two shards whose logs end with a commit of this number and size; nothing of them is compacted. */
async function standing(n: number, bytes: number): Promise<boolean> {
  const clock = manualClock(start);
  const store = memoryStore({ clock });
  for (const shard of ["a", "b"]) {
    await registerShard(store, shard, []);
    const sk = String(n).padStart(12, "0");
    await store.put({ pk: `log/${shard}`, sk, value: new Uint8Array(bytes) }, 0);
  }
  return isCompactionDue({ store, clock });
}

describe("on AWS compaction", () => {
  it("waits while the log is short, however often it is asked, and runs in each quarter's first minute", async () => {
    const { store, clock, worker } = await rig({ start });
    await worker().process(recordsOf([post({ at: start, e: [view("/")] })]));
    for (let minute = 4; minute < 15; minute++) {
      expect(await isCompactionDue({ store, clock }), `minute ${minute}`).toBe(false);
      clock.advance(MINUTE);
    }
    expect(await isCompactionDue({ store, clock })).toBe(true);
    clock.advance(MINUTE);
    expect(await isCompactionDue({ store, clock })).toBe(false);
  });

  it("runs when as many commits wait as one run takes, and rests when they are folded", async () => {
    const { store, clock, worker } = await rig({ start });
    const one = worker();
    const lines = Array.from({ length: 500 }, (_, i) => post({ at: start + i, e: [view("/")] }));
    for (const record of recordsOf(lines)) await one.process([record]);
    expect(await isCompactionDue({ store, clock })).toBe(true);
    await compactAll(store, clock);
    expect(await isCompactionDue({ store, clock })).toBe(false);
  });

  it("runs sooner where commits are large, those of all shards together", async () => {
    expect(await standing(60, 60_000)).toBe(false);
    expect(await standing(60, 80_000)).toBe(true);
    expect(await standing(400, 5_000)).toBe(false);
  });
});
