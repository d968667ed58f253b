/** Texts for properties. */
import fc from "fast-check";

/** What programs trip over that take a text for a key, as fast-check's own strings have among them. */
const NAMES = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "valueOf",
  "hasOwnProperty",
  "then",
  "key",
];

/**
 * Any code points, ASCII more often; no halves of pairs, which UTF-8 cannot say. Lengths count code points. In place of
 * `fc.string({ unit: "binary" })`, which makes a table of all there are before its first text: two seconds of a processor.
 */
export function anyText({ minLength = 0, maxLength = 10 }: { minLength?: number; maxLength?: number } = {}) {
  const point = fc.oneof(
    fc.nat(0x7f),
    fc.integer({ min: 0, max: 0xd7ff }),
    fc.integer({ min: 0xe000, max: 0x10ffff }),
  );
  const text = fc.array(point, { minLength, maxLength }).map((points) => String.fromCodePoint(...points));
  const names = NAMES.filter(({ length }) => length >= minLength && length <= maxLength);
  return names.length === 0
    ? text
    : fc.oneof({ weight: 15, arbitrary: text }, { weight: 1, arbitrary: fc.constantFrom(...names) });
}
