/** A map that keeps what was used recently: reading is one look-up and memory stays bounded whatever the input. */

/**
 * Two generations: what is read from the old one moves to the young one, and when that is full it becomes the old one
 * and the old one is forgotten. So the last `size` keys used are there, and at most twice as many.
 */
export class Recent<K, V> {
  readonly #size: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  constructor(size: number) {
    this.#size = size;
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: K, value: V): void {
    if (this.#young.size >= this.#size) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}
