/** What a visit remembers of the values that it saw: a small map of numbers. Knows nothing of what they mean. */

/** hash53 -> mark, in the order in which they came. A flat list: most visits see few values, and all are searched at once. */
export class Marks {
  #list: number[];

  /** `list`: hashes, each followed by its mark. */
  constructor(list: number[] = []) {
    this.#list = list;
  }

  get size(): number {
    return this.#list.length / 2;
  }

  get(hash: number): number | undefined {
    const at = this.#indexOf(hash);
    return at < 0 ? undefined : this.#list[at + 1];
  }

  set(hash: number, mark: number): void {
    const at = this.#indexOf(hash);
    if (at < 0) this.#list.push(hash, mark);
    else this.#list[at + 1] = mark;
  }

  clone(): Marks {
    return new Marks(this.#list.slice());
  }

  /** As the constructor takes them; never change it. */
  get list(): readonly number[] {
    return this.#list;
  }

  #indexOf(hash: number): number {
    const list = this.#list;
    for (let at = 0; at < list.length; at += 2) if (list[at] === hash) return at;
    return -1;
  }
}
