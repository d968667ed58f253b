import { expect, it } from "vitest";
import { HashReader, HashWriter } from "../../../processors/pipeline/hashes.ts";
import { ByteReader, ByteWriter } from "../../../processors/sketches/bytes.ts";

it("writes each of many hashes once in full, equal low bits and 0 among them, and reads them back in order", () => {
  const hashes = [0, 1, 2 ** 32, 2 ** 33, 2 ** 53 - 1, 0, 2 ** 32];
  for (let i = 0; i < 1_000; i++) hashes.push((i % 400) * 2 ** 32 + (i % 3));
  const bytes = new ByteWriter();
  const writer = new HashWriter();
  for (const hash of hashes) writer.write(hash, bytes);
  const reader = new ByteReader(bytes.finish());
  const read = new HashReader();
  expect(hashes.map(() => read.read(reader))).toEqual(hashes);
  expect(reader.done).toBe(true);
  const distinct = new Set(hashes).size;
  // A byte that says new and seven of the hash; a number of one or two bytes where it came before.
  expect(bytes.length).toBeLessThan(distinct * 8 + (hashes.length - distinct) * 2 + 1);
});
