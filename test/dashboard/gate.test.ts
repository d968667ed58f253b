/** How many tasks run at once. */
import { expect, it } from "vitest";
import { gate } from "../../dashboard/gate.ts";

it("a gate lets so many through at once, in order, and a task that fails gives its place to the next", async () => {
  const through = gate(2);
  const begun: number[] = [];
  const ends: ((failed?: Error) => void)[] = [];
  const tasks = [0, 1, 2, 3].map((i) =>
    through(
      () =>
        new Promise<number>((resolve, reject) => {
          begun.push(i);
          ends[i] = (failed) => (failed ? reject(failed) : resolve(i));
        }),
    ),
  );
  const settled = Promise.allSettled(tasks);
  expect(begun).toEqual([0, 1]);
  ends[1]!(new Error("no"));
  await expect(tasks[1]).rejects.toThrow("no");
  await expect.poll(() => begun).toEqual([0, 1, 2]);
  ends[0]!();
  await expect.poll(() => begun).toEqual([0, 1, 2, 3]);
  ends[2]!();
  ends[3]!();
  expect((await settled).map(({ status }) => status)).toEqual([
    "fulfilled",
    "rejected",
    "fulfilled",
    "fulfilled",
  ]);
});
