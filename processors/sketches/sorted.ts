/** Ascending plain arrays of numbers, tuned for very short ones. Knows nothing of what they hold. */

/** The first index whose value is not below `value`; the length if there is none. */
export function lowerBound(ascending: readonly number[], value: number): number {
  let from = 0;
  let to = ascending.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (ascending[middle]! < value) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** The array to keep in place of `list`, with `value` at index `at`: a new one or the same. */
export function insertAt(list: number[], at: number, value: number): number[] {
  // A push to an empty array reserves 17 places; most sketches hold one to three values for ever.
  if (list.length < 4) return list.toSpliced(at, 0, value);
  if (at === list.length) list.push(value);
  else list.splice(at, 0, value);
  return list;
}

/** The same values without the room that pushing reserved: decoded and merged sketches are kept in their thousands. */
export function trimmed(list: readonly number[]): number[] {
  return list.slice();
}
