import { expect, it } from "vitest";
import { keyedHash, randomBytes } from "../../../processors/crypto.ts";
import { shardWorkers } from "../../../processors/handlers/workers.ts";
import { registerShard } from "../../../processors/pipeline/commit.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import { manualClock } from "../../kit/clock.ts";

const workers = () => {
  const clock = manualClock(0);
  const store = memoryStore({ clock });
  const asked: string[] = [];
  const shards = ["a", "b", "c", "d", "e"].map((id) => ({ id, parents: [], closed: false }));
  const workerOf = shardWorkers(
    { store, clock, hash: keyedHash, randomBytes, country: () => "" },
    {
      shards: async () => {
        asked.push("shards");
        return shards;
      },
    },
  );
  return { workerOf, asked, store };
};

it("keeps a shard's worker from one invocation to the next, without asking the stream again", async () => {
  const { workerOf, asked } = workers();
  const first = await workerOf("a");
  expect(await workerOf("a")).toBe(first);
  expect(asked).toHaveLength(1);
});

it("asks the stream about a new shard, and the log about one that has begun", async () => {
  const { workerOf, asked, store } = workers();
  await registerShard(store, "b", ["a"]);
  await workerOf("b");
  expect(asked).toHaveLength(0);
  await workerOf("c");
  expect(asked).toHaveLength(1);
});

it("keeps four, and lets the one go that was not used for longest", async () => {
  const { workerOf } = workers();
  const [a, b] = [await workerOf("a"), await workerOf("b")];
  for (const id of ["c", "d", "a", "e"]) await workerOf(id);
  expect(await workerOf("a")).toBe(a);
  expect(await workerOf("b")).not.toBe(b);
});
