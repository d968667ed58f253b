/** Seeded randomness for generated traffic: the same seed gives the same numbers on every machine. Not for secrets. */

/** A small generator with 32 bits of state, cheap enough to make one for each visitor. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A generator of its own for one of many things, such as visitor 17, whatever was drawn before. */
  static of(seed: number, index: number): Random {
    return new Random(Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35));
  }

  /** Uniform 32-bit integer. Mulberry32 (Tommy Ettinger, public domain). */
  uint32(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** Uniform in [0, 1). */
  unit(): number {
    return this.uint32() / 4_294_967_296;
  }

  /** Uniform integer in [0, below). */
  below(below: number): number {
    return Math.floor(this.unit() * below);
  }

  /** Uniform integer in [low, high]. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** Log-normal with the given median; sigma is the deviation of its logarithm (Box-Muller). */
  lognormal(median: number, sigma: number): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.unit()));
    return median * Math.exp(sigma * radius * Math.cos(2 * Math.PI * this.unit()));
  }

  /** Lower-case hexadecimal digits, eight for each word. */
  hex(words: number): string {
    let text = "";
    for (let i = 0; i < words; i++) text += this.uint32().toString(16).padStart(8, "0");
    return text;
  }
}

/** Draws items by weight in logarithmic time. */
export class Weighted<T> {
  readonly #items: readonly T[];
  readonly #upTo: Float64Array;
  readonly #total: number;

  constructor(items: readonly T[], weight: (item: T, index: number) => number) {
    this.#items = items;
    this.#upTo = new Float64Array(items.length);
    let total = 0;
    items.forEach((item, index) => {
      total += weight(item, index);
      this.#upTo[index] = total;
    });
    this.#total = total;
  }

  draw(random: Random): T {
    const at = random.unit() * this.#total;
    let low = 0;
    let high = this.#items.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#upTo[middle]! > at) high = middle;
      else low = middle + 1;
    }
    return this.#items[low]!;
  }
}
