/** A set of whole numbers that only grows. A Set of as many takes three times as long and an object for each. Knows nothing of what they mean. */

/** Room to begin with; a power of two. */
const FIRST_SLOTS = 64;

export class NumberSet {
  /** Open addressing with linear probing, at most half full; NaN where free. */
  #slots = new Float64Array(FIRST_SLOTS).fill(Number.NaN);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(value: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = spread(value) & mask;
    for (;;) {
      const known = slots[slot]!;
      if (known === value) return;
      if (Number.isNaN(known)) break;
      slot = (slot + 1) & mask;
    }
    slots[slot] = value;
    if (++this.#size * 2 > slots.length) this.#grow();
  }

  /** All of them, lowest first. */
  ascending(): number[] {
    return Array.from(this.#slots.filter((value) => !Number.isNaN(value)).sort());
  }

  #grow(): void {
    const values = this.#slots;
    this.#slots = new Float64Array(values.length * 2).fill(Number.NaN);
    this.#size = 0;
    for (let i = 0; i < values.length; i++) if (!Number.isNaN(values[i])) this.add(values[i]!);
  }
}

/** Multiplicative hashing (Knuth, The Art of Computer Programming 3, 6.4), folded because the table takes the low bits. */
function spread(value: number): number {
  const mixed = Math.imul(value, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}
