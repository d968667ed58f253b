/** What joined files say between their lines of what follows: the last of these heads in the bytes that a resumed import skips. */

/** Heads begin a line with this. */
export class LastHead {
  readonly #prefix: string;
  /** Begins where a line does. */
  #waiting = Buffer.alloc(0);
  #line: string | undefined;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** The whole line without its end; undefined before there was one. */
  get line(): string | undefined {
    return this.#line;
  }

  /** Takes the next bytes of the text, which is UTF-8. */
  add(part: Uint8Array): void {
    const bytes = Buffer.concat([this.#waiting, part]);
    const end = bytes.lastIndexOf("\n");
    const lines = bytes.subarray(0, Math.max(0, end));
    const before = lines.lastIndexOf(`\n${this.#prefix}`);
    const begin = before >= 0 ? before + 1 : lines.indexOf(this.#prefix) === 0 ? 0 : -1;
    if (begin >= 0) {
      const next = lines.indexOf("\n", begin);
      this.#line = lines.toString("utf8", begin, next < 0 ? lines.length : next);
    }
    this.#waiting = bytes.subarray(end + 1);
  }
}
