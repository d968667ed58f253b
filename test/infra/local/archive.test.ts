/** The upkeep of the local archive's files. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startArchiving } from "../../../infra/local/archive.ts";
import type { FileArchive } from "../../../processors/archives/files.ts";
import { MINUTE_MS } from "../../../processors/model/time.ts";
import { manualClock } from "../../kit/clock.ts";

it("merges files and deletes what is kept no longer soon after its start: a server may never run for an hour", async () => {
  const clock = manualClock(Date.UTC(2026, 0, 5));
  const asked: unknown[] = [];
  const archive = {
    isDue: () => false,
    async compact(neededFrom: unknown) {
      asked.push(neededFrom);
      return { files: 0, rows: 0 };
    },
  } as unknown as FileArchive;
  const neededFrom = new Map([["example.com", 1]]);
  const archiving = startArchiving({
    ...{ archive, clock, directory: join(tmpdir(), "rivulet-no-archive"), log: () => {} },
    neededFrom: async () => neededFrom,
  });
  clock.advance(2 * MINUTE_MS);
  await expect.poll(() => asked, { timeout: 10_000 }).toEqual([neededFrom]);
  // A clock that ran ahead is set right.
  clock.advance(-MINUTE_MS);
  await expect.poll(() => asked, { timeout: 10_000 }).toEqual([neededFrom, neededFrom]);
  await archiving.stop();
});
