/** What a visit remembers of the values that it saw: a small map of numbers. Knows nothing of what they mean. */

/** Room for four more. An array that grows by itself takes room for sixteen numbers, and a shard remembers visits by the ten thousand. */
const ROOM: readonly number[] = Array.from({ length: 8 }, () => 0.5);

/** hash53 -> mark, in the order in which they came. A flat list: most visits see few values, and all are searched at once. */
export class Marks {
  /** Hashes, each followed by its mark, and room. */
  #list: number[];
  #used: number;

  /** `list`: hashes, each followed by its mark. It is the marks' own from now on. */
  constructor(list: number[] = []) {
    this.#list = list;
    this.#used = list.length;
  }

  get size(): number {
    return this.#used / 2;
  }

  get(hash: number): number | undefined {
    const at = this.#indexOf(hash);
    return at < 0 ? undefined : this.#list[at + 1];
  }

  set(hash: number, mark: number): void {
    const known = this.#indexOf(hash);
    const at = known < 0 ? this.#used : known;
    if (at === this.#list.length) this.#list = this.#list.concat(ROOM);
    this.#list[at] = hash;
    this.#list[at + 1] = mark;
    if (known < 0) this.#used += 2;
  }

  clone(): Marks {
    const marks = new Marks(this.#list.slice());
    marks.#used = this.#used;
    return marks;
  }

  forEach(visit: (hash: number, mark: number) => void): void {
    for (let at = 0; at < this.#used; at += 2) visit(this.#list[at]!, this.#list[at + 1]!);
  }

  #indexOf(hash: number): number {
    const list = this.#list;
    for (let at = 0; at < this.#used; at += 2) if (list[at] === hash) return at;
    return -1;
  }
}
