import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { diskFile } from "../../../processors/imports/disk.ts";
import { describeRawFile } from "../../conformance/rawfile.ts";

const folder = mkdtempSync(join(tmpdir(), "rivulet-disk-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeRawFile("disk", async (name, bytes) => {
  writeFileSync(join(folder, name), bytes);
  return diskFile(join(folder, name));
});

it("tells how far it has been read", async () => {
  const path = join(folder, "told.log");
  writeFileSync(path, "x".repeat(3_000_000));
  const told: number[] = [];
  const file = await diskFile(path, (bytes, of) => told.push(bytes / of));
  for await (const _ of file.stream());
  expect(told.length).toBeGreaterThan(2);
  expect(told.at(-1)).toBe(1);
});

it("refuses what is no file, and one that has become shorter", async () => {
  await expect(diskFile(folder)).rejects.toMatchObject({ code: "config", message: `${folder}: not a file` });
  const path = join(folder, "short.parquet");
  await expect(diskFile(path)).rejects.toMatchObject({ code: "config", message: `${path}: cannot be read` });
  writeFileSync(path, "x".repeat(100));
  const file = await diskFile(path);
  truncateSync(path, 10);
  await expect(file.slice(0, 50)).rejects.toMatchObject({ code: "config" });
});
