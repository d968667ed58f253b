/** Texts of one stored value: each is written once, at its end, and stands by its number everywhere else. "" is 0. */
import type { ByteReader, ByteWriter } from "../sketches/bytes.ts";

export class TextWriter {
  readonly #numbers = new Map<string, number>([["", 0]]);

  /** The number of a text, the next free one when it is new: so the texts in use most are likely to have short numbers. */
  numberOf(text: string): number {
    if (text === "") return 0;
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(text, number);
    }
    return number;
  }

  /** Writes all texts that have a number. */
  encodeTo(writer: ByteWriter): void {
    writer.varint(this.#numbers.size - 1);
    this.#numbers.forEach((number, text) => {
      if (number > 0) writer.text(text);
    });
  }
}

/** Reads what TextWriter wrote when somebody asks for a text first. */
export class TextReader {
  readonly #reader: ByteReader;
  #texts: string[] | undefined;

  constructor(reader: ByteReader) {
    this.#reader = reader;
  }

  /** RangeError for a number that no text has. */
  textOf(number: number): string {
    this.#texts ??= readTexts(this.#reader);
    const text = this.#texts[number];
    if (text === undefined) throw new RangeError(`text ${number} of ${this.#texts.length}`);
    return text;
  }
}

function readTexts(reader: ByteReader): string[] {
  const texts = [""];
  for (let left = reader.varint(); left > 0; left--) texts.push(reader.text());
  return texts;
}
