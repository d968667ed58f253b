/**
 * Texts of one stored value, and lists of them: each is written once, at its end, and stands by its number everywhere
 * else. "" is 0, and so is a list of none.
 */
import { ByteReader, ByteWriter } from "../sketches/bytes.ts";

export class TextWriter {
  readonly #numbers = new Map<string, number>([["", 0]]);
  readonly #lists = new Map<readonly string[], number>();
  readonly #listed = new ByteWriter();

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

  /** The number of a list. Another of the same texts has another: comparing them would cost more than it saves. */
  numberOfList(list: readonly string[]): number {
    if (list.length === 0) return 0;
    let number = this.#lists.get(list);
    if (number === undefined) {
      number = this.#lists.size + 1;
      this.#lists.set(list, number);
      this.#listed.varint(list.length);
      for (let i = 0; i < list.length; i++) this.#listed.varint(this.numberOf(list[i]!));
    }
    return number;
  }

  /** Writes all lists and texts that have a number. */
  encodeTo(writer: ByteWriter): void {
    writer.block(this.#listed.finish());
    writer.varint(this.#numbers.size - 1);
    this.#numbers.forEach((number, text) => {
      if (number > 0) writer.text(text);
    });
  }
}

/** Reads what TextWriter wrote when somebody asks for a text first. */
export class TextReader {
  readonly #reader: ByteReader;
  readonly #listed: Uint8Array;
  #texts: string[] | undefined;
  #lists: Lists | undefined;
  /** Those that were asked for, by number. */
  readonly #made: (readonly string[] | undefined)[] = [];

  /** `hasLists`: whether there were lists when it was written. */
  constructor(reader: ByteReader, hasLists: boolean) {
    this.#listed = hasLists ? reader.block() : new Uint8Array();
    this.#reader = reader;
  }

  /** RangeError for a number that no text has. */
  textOf(number: number): string {
    this.#texts ??= readTexts(this.#reader);
    const text = this.#texts[number];
    if (text === undefined) throw new RangeError(`text ${number} of ${this.#texts.length}`);
    return text;
  }

  /** The number of the text in a place of a list, from 0; 0 beyond its end. RangeError for a number that no list has. */
  numberIn(list: number, place: number): number {
    const { starts, numbers } = this.#numbered(list);
    const at = starts[list]! + place;
    return at < starts[list + 1]! ? numbers[at]! : 0;
  }

  /** A list, the same object for the same number. RangeError for a number that no list has. */
  listOf(number: number): readonly string[] {
    const known = this.#made[number];
    if (known) return known;
    const { starts, numbers } = this.#numbered(number);
    const list: string[] = [];
    for (let at = starts[number]!; at < starts[number + 1]!; at++) list.push(this.textOf(numbers[at]!));
    this.#made[number] = list;
    return list;
  }

  #numbered(list: number): Lists {
    this.#lists ??= readLists(this.#listed);
    if (list + 1 >= this.#lists.starts.length)
      throw new RangeError(`list ${list} of ${this.#lists.starts.length - 1}`);
    return this.#lists;
  }
}

function readTexts(reader: ByteReader): string[] {
  const texts = [""];
  for (let left = reader.varint(); left > 0; left--) texts.push(reader.text());
  return texts;
}

/** The numbers of all lists' texts, and where each list begins among them; last, where the last ends. */
interface Lists {
  readonly numbers: Int32Array;
  readonly starts: readonly number[];
}

function readLists(bytes: Uint8Array): Lists {
  const numbers = new Int32Array(bytes.length);
  const starts = [0, 0];
  const reader = new ByteReader(bytes);
  let size = 0;
  while (!reader.done) {
    for (let left = reader.varint(); left > 0; left--) numbers[size++] = reader.varint();
    starts.push(size);
  }
  return { numbers, starts };
}
