/** Folding an archive again by threads, against one fold. */
import { expect, it } from "vitest";
import { foldInLots } from "../../../infra/local/rebuildlots.ts";
import { fileArchive } from "../../../processors/archives/files.ts";
import { fileRows } from "../../../processors/archives/rows.ts";
import {
  type FoldedRows,
  type FoldOrder,
  foldInMemory,
} from "../../../processors/pipeline/rebuild/foldrows.ts";
import { row } from "../../conformance/archive.ts";
import { manualClock } from "../../kit/clock.ts";
import { temporaryDirectory } from "../../kit/temporary.ts";
import { HOUR, NOON } from "../../processors/pipeline/lines.ts";

const directory = temporaryDirectory();

const windowsOf = ({ hours, minutes }: FoldedRows): unknown[] =>
  [hours, minutes].map((windows) =>
    [...windows.keys()]
      .sort((a, b) => a - b)
      .map((start) => [start, Buffer.from(windows.get(start)!).toString("hex")]),
  );

it("an archive folded in lots by threads, or by none, gives the windows that one fold gives", async () => {
  const archive = await fileArchive({ directory, clock: manualClock(NOON) });
  const rows = Array.from({ length: 400 }, (_, i) =>
    row(i + 1, {
      visitor: (i % 37).toString(16).padStart(16, "0"),
      visit: NOON + (i % 37),
      fresh: i < 37,
      at: NOON + (i % 37) + Math.floor(i / 37) * 60_000 + (i % 5 === 0 ? HOUR : 0),
    }),
  );
  await archive.write(rows.slice(0, 300));
  await archive.roll();
  await archive.write(rows.slice(250));
  const order: FoldOrder = {
    site: { id: "example.com", timeZone: "UTC" },
    shards: [{ id: "shard-0", parents: [] }] as unknown as FoldOrder["shards"],
    ends: new Map([["shard-0", rows.at(-2)!.sequence]]),
    archivedFrom: 0,
    now: NOON + HOUR,
  };
  const told: number[] = [];
  await using expected = await foldInMemory(fileRows(directory), order, () => {});
  for (const lotBytes of [1, 1 << 20]) {
    await using folded = await foldInLots(directory, lotBytes)(order, (count) => told.push(count));
    expect(windowsOf(folded)).toEqual(windowsOf(expected));
    expect(folded.rows).toBe(399);
    expect(folded.earliest).toBe(expected.earliest);
    expect(folded.incomplete).toEqual(expected.incomplete);
  }
  expect(Math.max(...told)).toBe(399);
  await archive.close();
});
