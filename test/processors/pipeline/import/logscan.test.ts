import { describe, expect, it } from "vitest";
import { accessLogParser, plainLogParser } from "../../../../processors/pipeline/import/accesslog.ts";
import { ByteTexts, FIRST_HASH } from "../../../../processors/pipeline/import/bytetexts.ts";
import { type ChunkParser, textChunk } from "../../../../processors/pipeline/import/row.ts";
import { Random } from "../../../kit/random.ts";
import { randomLog } from "./kit.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_261_129);

function taken(parse: ChunkParser, bytes: Uint8Array): unknown[] {
  const found: unknown[] = [];
  parse(textChunk(bytes, 1), {
    row: (line, row) => found.push([line, row]),
    skip: (reason) => found.push(reason),
    bad: (line, reason) => found.push([line, reason]),
  });
  return found;
}

/** Bytes that mean something in a log, half of what stands for two others, and a byte that no text has. */
const ODD = [...' "\\[]-,:0/\n\r'].map((char) => char.charCodeAt(0)).concat(0xc3, 0xa9, 0xff);

describe(`an access log that is scanned byte by byte (RIVULET_SEED=${SEED})`, () => {
  it.each([false, true])(
    "says of each line what it says read plainly, however lines are broken (all: %s)",
    (all) => {
      const random = new Random(SEED);
      const bytes = new TextEncoder().encode(randomLog(random, 1_500));
      // About every third line has something odd; the others stay as they are.
      for (let left = 500; left > 0; left--)
        bytes[random.below(bytes.length)] = ODD[random.below(ODD.length)]!;
      const options = { all, hostname: "example.com" };
      const plain = taken(plainLogParser(options), bytes);
      expect(plain.length).toBeGreaterThan(1_000);
      expect(taken(accessLogParser(options), bytes)).toEqual(plain);
    },
  );

  it("remembers a bounded number of texts, and goes on right beyond", () => {
    let made = 0;
    const texts = new ByteTexts((text) => {
      made++;
      return text;
    });
    const of = (text: string): string => {
      const bytes = new TextEncoder().encode(` ${text} `);
      // All in one slot, so that equal hashes are not taken for equal texts.
      return texts.of(bytes, 1, bytes.length - 1, FIRST_HASH + (text.length % 3));
    };
    const known = ["", "/a", "/b", "한글", "/a long one"];
    for (const text of [...known, ...known]) expect(of(text)).toBe(text);
    expect(made).toBe(known.length);
    const large = "x".repeat(400_000);
    for (let i = 0; i < 12; i++) expect(of(large + i)).toBe(large + i);
    for (const text of known) expect(of(text)).toBe(text);
  });
});
