import { describe, expect, it } from "vitest";
import { bucketArchive } from "../../../processors/archives/bucketarchive.ts";
import { archiveObjects } from "../../../processors/archives/bucketrows.ts";
import { importsApart } from "../../../processors/archives/importsapart.ts";
import type { ArchiveRow } from "../../../processors/model/archive.ts";
import { HOUR_MS } from "../../../processors/model/time.ts";
import { archiveConformance, onceInOrder, row } from "../../conformance/archive.ts";
import { bucketDouble } from "../../kit/objects.ts";
import { NOON } from "../pipeline/lines.ts";

const SITE = "example.com";

archiveConformance("in a bucket", async () => {
  const double = await bucketDouble();
  const objects = archiveObjects(double);
  return {
    archive: bucketArchive(objects),
    stored: async () => {
      const keys = (await objects.list("archive/")).map(({ key }) => key);
      return onceInOrder((await Promise.all(keys.map((key) => objects.readRows(key, SITE)))).flat());
    },
    close: () => double.close(),
  };
});

describe("rows of imports", () => {
  /** More hours than Firehose sorts at once. */
  const HOURS = 510;
  const history = Array.from({ length: HOURS }, (_, i) =>
    row(i + 1, { imported: true, at: NOON - i * HOUR_MS }),
  );

  it("become a file for each hour without Firehose, and the same file when they come again", async () => {
    const files = new Map<string, Uint8Array>();
    const live: ArchiveRow[] = [];
    const archive = importsApart(
      { write: async (rows) => void live.push(...rows), close: async () => {} },
      bucketArchive({ put: async (key, bytes) => void files.set(key, bytes) }),
    );
    await archive.write([...history, row(HOURS + 1)]);
    await archive.write(history.slice(0, 20));
    expect(live).toEqual([row(HOURS + 1)]);
    expect(files.size).toBe(HOURS);
    expect([...files.keys()]).toContainEqual(
      expect.stringMatching(
        /^archive\/site=example\.com\/dt=\d{4}-\d\d-\d\d\/hour=\d\d\/[0-9a-f]{32}\.parquet$/,
      ),
    );
  });

  it("fail as a whole when one file cannot be put, so that the batch comes again", async () => {
    const archive = bucketArchive({
      put: async (key) => {
        if (key.includes("hour=07")) throw new Error("away");
      },
    });
    await expect(archive.write(history.slice(0, 24))).rejects.toThrow("away");
  });
});
