/** Texts and lists of them are read as they were written, and a number that stands for none is refused. */
import { describe, expect, it } from "vitest";
import { TextReader, TextWriter } from "../../../processors/pipeline/texts.ts";
import { ByteReader, ByteWriter } from "../../../processors/sketches/bytes.ts";

function written(texts: TextWriter): ByteReader {
  const writer = new ByteWriter();
  texts.encodeTo(writer);
  return new ByteReader(writer.finish());
}

describe("lists of texts", () => {
  it("are read as they were written, each by its number, whichever texts they share", () => {
    const texts = new TextWriter();
    const lists = [["a", "", "차"], [], ["차"], ["", "b", "a"]];
    const numbers = lists.map((list) => texts.numberOfList(list));
    expect(texts.numberOfList(lists[3]!)).toBe(numbers[3]);
    const read = new TextReader(written(texts), true);
    expect(numbers.map((number) => read.listOf(number))).toEqual(lists);
    expect(read.listOf(numbers[0]!)).toBe(read.listOf(numbers[0]!));
    expect([0, 1, 2, 3].map((place) => read.textOf(read.numberIn(numbers[0]!, place)))).toEqual([
      "a",
      "",
      "차",
      "",
    ]);
  });

  it("and texts that nobody wrote are refused by their number", () => {
    const texts = new TextWriter();
    texts.numberOfList(["a"]);
    const read = new TextReader(written(texts), true);
    expect(() => read.listOf(2)).toThrow("list 2 of 2");
    expect(() => read.numberIn(7, 0)).toThrow("list 7 of 2");
    expect(() => read.textOf(2)).toThrow("text 2 of 2");
  });
});
