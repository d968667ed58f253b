/**
 * Counts of many (window, column) pairs as plain numbers in typed arrays: one place for each pair's integers, and short
 * lists of whole numbers for what is gathered until it is written. Knows nothing of what windows and columns are.
 */

/** Room to begin with. Most commits of a quiet site hold one click; a busy one doubles it a few times. */
const FIRST_CELLS = 32;

/** Places in a cell: whole numbers that add. */
export class Cells {
  readonly #width: number;
  /** Cell -> its place in both. */
  #windows = new Int32Array(FIRST_CELLS);
  #columns = new Int32Array(FIRST_CELLS);
  #sums: Float64Array;
  /** Open addressing with linear probing: cell + 1, 0 where free. A power of two, at most half full. */
  #slots = new Int32Array(4 * FIRST_CELLS);
  #size = 0;

  constructor(width: number) {
    this.#width = width;
    this.#sums = new Float64Array(FIRST_CELLS * width);
  }

  get size(): number {
    return this.#size;
  }

  /** The cell of a pair, made if needed: numbers from 0 in the order of making. */
  at(window: number, column: number): number {
    const mask = this.#slots.length - 1;
    let slot = spread(window, column) & mask;
    for (;;) {
      const cell = this.#slots[slot]! - 1;
      if (cell < 0) break;
      if (this.#columns[cell] === column && this.#windows[cell] === window) return cell;
      slot = (slot + 1) & mask;
    }
    return this.#make(window, column, slot);
  }

  windowOf(cell: number): number {
    return this.#windows[cell]!;
  }

  columnOf(cell: number): number {
    return this.#columns[cell]!;
  }

  add(cell: number, place: number, value: number): void {
    this.#sums[cell * this.#width + place]! += value;
  }

  get(cell: number, place: number): number {
    return this.#sums[cell * this.#width + place]!;
  }

  /** A bit for each place of a cell that is not 0. */
  maskOf(cell: number): number {
    const sums = this.#sums;
    const from = cell * this.#width;
    let mask = 0;
    for (let place = 0; place < this.#width; place++) if (sums[from + place] !== 0) mask |= 1 << place;
    return mask;
  }

  #make(window: number, column: number, slot: number): number {
    const cell = this.#size++;
    if (cell === this.#windows.length) {
      this.#windows = doubled(this.#windows);
      this.#columns = doubled(this.#columns);
      const sums = new Float64Array(this.#sums.length * 2);
      sums.set(this.#sums);
      this.#sums = sums;
    }
    this.#windows[cell] = window;
    this.#columns[cell] = column;
    this.#slots[slot] = cell + 1;
    if (this.#size * 2 > this.#slots.length) this.#rehash();
    return cell;
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (let cell = 0; cell < this.#size; cell++) {
      let slot = spread(this.#windows[cell]!, this.#columns[cell]!) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = cell + 1;
    }
    this.#slots = slots;
  }
}

/** Multiplicative hashing (Knuth, The Art of Computer Programming 3, 6.4), folded because the table takes the low bits. */
function spread(window: number, column: number): number {
  const mixed = Math.imul(Math.imul(window, 0x9e3779b1) ^ column, 0x85ebca6b);
  return mixed ^ (mixed >>> 15);
}

/** Lists of 32-bit integers by number of list: each grows at its head, all in two arrays. */
export class IntLists {
  /** List -> its newest link + 1, 0 where there is none. */
  #heads = new Int32Array(FIRST_CELLS);
  #values = new Int32Array(FIRST_CELLS);
  #next = new Int32Array(FIRST_CELLS);
  #size = 0;
  gathered = new Int32Array(FIRST_CELLS);

  /** Adds a value, unless it was the last that this list was given. */
  addOnce(list: number, value: number): void {
    const head = list < this.#heads.length ? this.#heads[list]! : 0;
    if (head === 0 || this.#values[head - 1] !== value) this.add(list, value);
  }

  add(list: number, value: number): void {
    while (list >= this.#heads.length) this.#heads = doubled(this.#heads);
    const link = this.#size++;
    if (link === this.#values.length) {
      this.#values = doubled(this.#values);
      this.#next = doubled(this.#next);
    }
    this.#values[link] = value;
    this.#next[link] = this.#heads[list]!;
    this.#heads[list] = link + 1;
  }

  isEmpty(list: number): boolean {
    return list >= this.#heads.length || this.#heads[list] === 0;
  }

  /** Puts what a list holds into `gathered`, ascending; how many. Good until the next call. */
  gather(list: number): number {
    let count = 0;
    for (let link = this.isEmpty(list) ? 0 : this.#heads[list]!; link > 0; link = this.#next[link - 1]!) {
      if (count === this.gathered.length) this.gathered = doubled(this.gathered);
      this.gathered[count++] = this.#values[link - 1]!;
    }
    if (count > FEW) this.gathered.subarray(0, count).sort();
    else insertionSort(this.gathered, count);
    return count;
  }
}

/** Nearly all lists are this short, and a view for each would cost more than sorting it. */
const FEW = 16;

function insertionSort(values: Int32Array, count: number): void {
  for (let i = 1; i < count; i++) {
    const value = values[i]!;
    let at = i;
    for (; at > 0 && values[at - 1]! > value; at--) values[at] = values[at - 1]!;
    values[at] = value;
  }
}

/** The same numbers with as much room again. */
export function doubled(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const twice = new Int32Array(array.length * 2);
  twice.set(array);
  return twice;
}

/** Indexes 0 to keys.length - 1 in ascending order of their keys (0 to `keyCount` - 1), equal keys as `order` has them. */
export function orderedBy(order: Int32Array, keys: Int32Array, keyCount: number): Int32Array {
  const starts = new Int32Array(keyCount + 1);
  for (const index of order) starts[keys[index]! + 1]!++;
  for (let key = 0; key < keyCount; key++) starts[key + 1]! += starts[key]!;
  const ordered = new Int32Array(order.length);
  for (const index of order) ordered[starts[keys[index]!]!++] = index;
  return ordered;
}
