import { describe, expect, it } from "vitest";
import { isCompactionDue } from "../../../processors/pipeline/cadence.ts";
import { registerShard } from "../../../processors/pipeline/commit.ts";
import { ByteWriter } from "../../../processors/sketches/bytes.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import { manualClock } from "../../kit/clock.ts";
import { MINUTE, NOON, post, view } from "./lines.ts";
import { recordsOf, rig } from "./rig.ts";

const start = NOON + 4 * MINUTE;

/** Whether it is due for two shards whose logs end with a commit of this number and size, compacted up to another. */
async function standing(n: number, bytes: number, compacted = 0): Promise<boolean> {
  const clock = manualClock(start);
  const store = memoryStore({ clock });
  for (const shard of ["a", "b"]) {
    await registerShard(store, shard, []);
    const sk = String(n).padStart(12, "0");
    await store.put({ pk: `log/${shard}`, sk, value: new Uint8Array(bytes) }, 0);
    const cursor = new ByteWriter();
    cursor.varint(compacted);
    await store.put({ pk: "cursor", sk: shard, value: cursor.finish() }, 0);
  }
  return isCompactionDue({ store, clock });
}

describe("on AWS compaction", () => {
  it("waits while the log is short, however often it is asked, and runs in the first minute of each half hour", async () => {
    const { store, clock, worker } = await rig({ start });
    await worker().process(recordsOf([post({ at: start, e: [view("/")] })]));
    for (let minute = 4; minute < 30; minute++) {
      expect(await isCompactionDue({ store, clock }), `minute ${minute}`).toBe(false);
      clock.advance(MINUTE);
    }
    expect(await isCompactionDue({ store, clock })).toBe(true);
    clock.advance(MINUTE);
    expect(await isCompactionDue({ store, clock })).toBe(false);
  });

  it("runs when as many commits wait as one run takes, and rests when they are folded", async () => {
    expect(await standing(1_999, 1_000)).toBe(false);
    expect(await standing(2_000, 1_000)).toBe(true);
    expect(await standing(2_000, 1_000, 1)).toBe(false);
  });

  it("runs sooner where commits are large, those of all shards together", async () => {
    expect(await standing(60, 60_000)).toBe(false);
    expect(await standing(60, 80_000)).toBe(true);
    expect(await standing(400, 5_000)).toBe(false);
  });
});
