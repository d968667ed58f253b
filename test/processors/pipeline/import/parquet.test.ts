/** Parquet files: which columns are read, as what, and that a broken file is refused or loses no row. */
import { ByteWriter, parquetWrite } from "hyparquet-writer";
import { describe, expect, it } from "vitest";
import { parquetSource } from "../../../../processors/pipeline/import/parquetsource.ts";
import type { ImportRow } from "../../../../processors/pipeline/import/row.ts";
import { sha256 } from "./kit.ts";

const AT = Date.UTC(2024, 4, 1, 10);

/** What becomes of each row: an event as `shown` shows it, the reason why it is left out, or the line of a bad one. */
async function readParquet(
  bytes: Uint8Array,
  shown: (row: ImportRow) => unknown = ({ at, kind }) => [at, kind.n],
): Promise<unknown[]> {
  const slice = async (from: number, to?: number) => {
    if (!(from >= 0 && from < bytes.length)) throw new RangeError(`nothing at ${from}`);
    return bytes.slice(from, to).buffer as ArrayBuffer;
  };
  const file = { byteLength: bytes.length, slice };
  const options = { all: false, hostname: "example.com" };
  const source = await parquetSource({ name: "x", file, newDigest: sha256, ...options });
  const found: unknown[] = [];
  for await (const chunk of source.chunks({ position: 0, lines: 0, chunkBytes: 1_000 }))
    chunk.parse({
      row: (_, row) => found.push(shown(row)),
      skip: (reason) => found.push(reason),
      bad: (line) => found.push(line),
    });
  return found;
}

describe("Parquet", () => {
  it("by the columns of its rows, not by what lies within them, and a day is no time", async () => {
    const text = (name: string) =>
      ({ name, type: "BYTE_ARRAY", repetition_type: "OPTIONAL", converted_type: "UTF8" }) as const;
    const group = (name: string, num_children: number) =>
      ({ name, repetition_type: "OPTIONAL", num_children }) as const;
    const read = async (when: "DATE" | "TIMESTAMP_MILLIS"): Promise<unknown[]> => {
      const writer = new ByteWriter();
      const time = { name: "time", type: when === "DATE" ? "INT32" : "INT64", converted_type: when } as const;
      parquetWrite({
        writer,
        schema: [
          group("root", 4),
          { ...time, repetition_type: "OPTIONAL" },
          text("url"),
          text("event"),
          group("item", 1),
          text("name"),
        ],
        columnData: [
          { name: "time", data: [new Date(AT)] },
          { name: "url", data: ["/a"] },
          { name: "event", data: ["signup"] },
          { name: "item", data: [{ name: "a shoe" }] },
        ],
      });
      return await readParquet(writer.getBytes());
    };
    expect(await read("TIMESTAMP_MILLIS")).toEqual([[AT, "signup"]]);
    expect(await read("DATE")).toEqual([1]);
  });

  it("a time of day is no time, and another column is, beside it", async () => {
    const writer = new ByteWriter();
    const number = { type: "INT64", repetition_type: "REQUIRED" } as const;
    parquetWrite({
      writer,
      schema: [
        { name: "root", num_children: 3 },
        { ...number, name: "time", converted_type: "TIME_MICROS" },
        { ...number, name: "created_at", converted_type: "TIMESTAMP_MILLIS" },
        { type: "BYTE_ARRAY", repetition_type: "REQUIRED", name: "url", converted_type: "UTF8" },
      ],
      columnData: [
        // Twenty minutes past midnight, in microseconds, would be seconds of the year 2008.
        { name: "time", data: [1_200_000_000n] },
        { name: "created_at", data: [new Date(AT)] },
        { name: "url", data: ["/a"] },
      ],
    });
    expect(await readParquet(writer.getBytes())).toEqual([[AT, "pageview"]]);
  });

  it("a decimal is the number that it was written as", async () => {
    const writer = new ByteWriter();
    const decimal = { type: "INT64", repetition_type: "REQUIRED", converted_type: "DECIMAL" } as const;
    parquetWrite({
      writer,
      schema: [
        { name: "root", num_children: 3 },
        { type: "INT64", repetition_type: "REQUIRED", name: "time", converted_type: "TIMESTAMP_MILLIS" },
        { type: "BYTE_ARRAY", repetition_type: "REQUIRED", name: "url", converted_type: "UTF8" },
        { ...decimal, name: "prop:size", scale: 1, precision: 18 },
      ],
      columnData: [
        { name: "time", data: [new Date(AT), new Date(AT), new Date(AT)] },
        { name: "url", data: ["/a", "/b", "/c"] },
        // To a processor 3 times a tenth is no 0.3.
        { name: "prop:size", data: [0.3, -0.7, 12] },
      ],
    });
    const sizes = (await readParquet(writer.getBytes(), ({ kind: { p } }) => p)) as unknown[];
    expect(sizes).toEqual([{ size: "0.3" }, { size: "-0.7" }, { size: "12" }]);
  });

  it("with any byte of its end broken it is refused, or gives something of each row", async () => {
    const writer = new ByteWriter();
    parquetWrite({
      writer,
      columnData: [
        { name: "time", data: Array.from({ length: 6 }, (_, i) => new Date(AT + i)) },
        { name: "url", data: ["/a", "/b", "/c", "/d", "/e", "/f"] },
      ],
      rowGroupSize: 2,
    });
    const bytes = new Uint8Array(writer.getBytes());
    const footer = bytes.length - 8 - new DataView(bytes.buffer).getUint32(bytes.length - 8, true);
    for (let at = footer; at < bytes.length; at++) {
      for (const value of [1, 0x15, 0xff]) {
        const broken = bytes.with(at, value);
        const read = await readParquet(broken).catch((error: unknown) => error);
        if (read instanceof Error) expect(read).toMatchObject({ code: "config" });
        else expect(read, `byte ${at} is ${value}`).toHaveLength(6);
      }
    }
  });
});
