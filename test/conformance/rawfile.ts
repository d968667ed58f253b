/** What every file that is imported must do. `open` stores the bytes and gives the file that holds them. */
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { unpacked } from "../../processors/imports/bytes.ts";
import type { RawFile } from "../../processors/imports/rawfile.ts";
import { Random } from "../kit/random.ts";

export type OpenRawFile = (name: string, bytes: Uint8Array) => Promise<RawFile>;

const SEED = Number(process.env.RIVULET_SEED ?? 3);

/** Bytes that no packing makes smaller; made once, because that takes longer than all else here. */
const made = (() => {
  const random = new Random(SEED);
  return Uint8Array.from({ length: 1_500_000 }, () => random.below(256));
})();
const noise = (length: number): Uint8Array => made.subarray(0, length);

async function all(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts);
}

export function describeRawFile(driver: string, open: OpenRawFile): void {
  describe(`${driver} (RIVULET_SEED=${SEED})`, () => {
    it.each([0, 1, 4, 128 * 1024, 128 * 1024 + 1, 1_500_000])(
      "gives all of %i bytes, as often as it is asked",
      async (length) => {
        const bytes = noise(length);
        const file = await open("a.log", bytes);
        expect(file).toMatchObject({ name: "a.log", byteLength: length });
        for (let time = 0; time < 2; time++) expect((await all(file.stream())).equals(bytes)).toBe(true);
      },
    );

    it("gives any part of it", async () => {
      const bytes = noise(10_000);
      const file = await open("a.parquet", bytes);
      for (const [start, end] of [
        [0, 4],
        [9_990, 10_000],
        [17, 18],
        [0, 10_000],
        [5, 5],
      ] as const)
        expect(Buffer.from(await file.slice(start, end))).toEqual(Buffer.from(bytes.subarray(start, end)));
      expect((await file.slice(9_000)).byteLength).toBe(1_000);
    });

    it("can be left in the middle", async () => {
      const file = await open("a.log", noise(1_500_000));
      for await (const part of file.stream()) {
        expect(part.length).toBeGreaterThan(0);
        break;
      }
      expect((await all(file.stream())).length).toBe(1_500_000);
    });

    it.each([
      { packing: "gzip" as const, pack: gzipSync },
      { packing: "zstd" as const, pack: zstdCompressSync },
    ])(
      "is unpacked on the way ($packing), all parts of one that was packed in parts, and what ends too early says so with its name",
      async ({ packing, pack }) => {
        const bytes = noise(400_000);
        const packed = Buffer.concat([pack(bytes.subarray(0, 150_000)), pack(bytes.subarray(150_000))]);
        const whole = await open("a.log.x", packed);
        expect((await all(unpacked(whole.stream(), packing, whole.name))).equals(bytes)).toBe(true);
        const cut = await open("b.log.x", packed.subarray(0, packed.length - 1_000));
        await expect(all(unpacked(cut.stream(), packing, cut.name))).rejects.toMatchObject({
          code: "config",
          message: `b.log.x: ${packing} that cannot be read to its end`,
        });
      },
    );
  });
}
