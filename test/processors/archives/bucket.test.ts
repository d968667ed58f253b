import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { archiveObjects } from "../../../processors/archives/bucketrows.ts";
import { partitionFolder } from "../../../processors/archives/layout.ts";
import type { ArchiveObjects } from "../../../processors/archives/objects.ts";
import { encodeParquet } from "../../../processors/archives/parquet.ts";
import { fileRows } from "../../../processors/archives/rows.ts";
import { valuesOf } from "../../../processors/archives/values.ts";
import { type ArchiveRow, rowsOfSite } from "../../../processors/model/archive.ts";
import { counted, countedIn, row } from "../../conformance/archive.ts";
import { type BucketDouble, bucketDouble } from "../../kit/objects.ts";
import { NOON } from "../pipeline/lines.ts";

let double: BucketDouble;
let objects: ArchiveObjects;
const directory = mkdtempSync(join(tmpdir(), "rivulet-bucket-"));
beforeAll(async () => {
  double = await bucketDouble();
  objects = archiveObjects(double);
});
afterAll(async () => {
  await double.close();
  rmSync(directory, { recursive: true, force: true });
});

const ROWS: readonly ArchiveRow[] = [
  row(1),
  row(2, {
    ...{
      props: [
        ["plan", "pro"],
        ["__proto__", "빠른"],
      ],
      currency: "EUR",
      amount_minor: 2 ** 40,
    },
    ...{ lcp: 1.5, scroll_depth: 80, engaged_ms: 12_000, late: true, imported: true, interactive: false },
  }),
  row(3, { visitor: null, visit: null, name: null, rejected: "malformed", count: 7 }),
];

describe("objects of a bucket", () => {
  it("hold the rows that the local reader finds in the same file", async () => {
    const bytes = encodeParquet(ROWS.map(valuesOf));
    const folder = join(directory, partitionFolder("example.com", NOON));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "a.parquet"), bytes);
    await objects.put("archive/a.parquet", bytes);
    expect(await countedIn(fileRows(directory))).toEqual(ROWS.map(counted));
    const rows = await objects.readRows("archive/a.parquet", "example.com");
    expect(rows).toEqual(ROWS);
    await objects.writeRows("archive/b.parquet", rows);
    expect(await objects.get("archive/b.parquet")).toEqual(bytes);
  });

  it("take the site from the path and maps by Hive's name for them, as Firehose writes files", async () => {
    const text = { type: "BYTE_ARRAY", converted_type: "UTF8" } as const;
    const buffer = parquetWriteBuffer({
      codec: "SNAPPY",
      schema: [
        { name: "hive_schema", num_children: 2 },
        { name: "sequence", ...text, repetition_type: "OPTIONAL" },
        { name: "props", converted_type: "MAP", repetition_type: "OPTIONAL", num_children: 1 },
        { name: "key_value", repetition_type: "REPEATED", num_children: 2 },
        { name: "key", ...text, repetition_type: "REQUIRED" },
        { name: "value", ...text, repetition_type: "OPTIONAL" },
      ],
      columnData: [
        { name: "sequence", data: ["1", "2"] },
        { name: "props", data: [[{ key: "plan", value: "pro" }], null] },
      ],
    });
    // The writer knows one name for the entries of a map; Hive has another.
    const hives = Buffer.from(
      Buffer.from(buffer).toString("latin1").replaceAll("key_value", "map______"),
      "latin1",
    );
    await objects.put("archive/hive.parquet", new Uint8Array(hives));
    const rows = await objects.readRows("archive/hive.parquet", "example.com");
    expect(rows.map(({ site, sequence, props, page }) => [site, sequence, props, page])).toEqual([
      ["example.com", "1", [["plan", "pro"]], null],
      ["example.com", "2", [], null],
    ]);
  });

  it("are listed below a prefix by key, more than a page of them", async () => {
    const keys = Array.from({ length: 1_005 }, (_, i) => `many/${String(i).padStart(5, "0")}`);
    for (let i = 0; i < keys.length; i += 50)
      await Promise.all(keys.slice(i, i + 50).map((key) => objects.put(key, new Uint8Array(3))));
    expect(await objects.list("many/")).toEqual(keys.map((key) => ({ key, bytes: 3 })));
    expect(await objects.list("none/")).toEqual([]);
    expect(await objects.folders("many/"), "no folder is in there").toEqual([]);
    await objects.put("many/folder/a", new Uint8Array(3));
    expect(await objects.folders("many/")).toEqual(["many/folder/"]);
    await objects.delete(["none", ...keys]);
    expect(await objects.list("many/")).toEqual([{ key: "many/folder/a", bytes: 3 }]);
  });

  it("say what is not there, and that a service is away", async () => {
    expect(await objects.get("none")).toBeUndefined();
    await expect(objects.readRows("none", "example.com")).rejects.toMatchObject({ code: "not_found" });
    const away = await bucketDouble();
    await away.close();
    const gone = archiveObjects(away);
    for (const call of [
      () => gone.get("a"),
      () => gone.list("a"),
      () => gone.put("a", new Uint8Array()),
      () => gone.delete(["a"]),
    ])
      await expect(call()).rejects.toMatchObject({ code: "unavailable" });
  });

  it("escapes a site as the delivery stream's @uri does", () => {
    expect(rowsOfSite("it's-(2)!*/ä.example")).toBe("archive/site=it's-(2)!*%2F%C3%A4.example/");
  });
});
