/**
 * Looks for an order of letters that makes a plain script smaller: `node test/collector/letters.ts c.js 60` tries for 60
 * seconds and prints each order that is better than all before it. The last one belongs into `collector/build.ts`.
 */
import { compressed, LETTERS, named } from "../../collector/build.ts";

const file = process.argv[2] === "lite.js" ? "lite.js" : "c.js";
const endsAt = performance.now() + Number(process.argv[3] ?? 60) * 1_000;
/** How much worse an order may be, in bytes, and still be tried from now and then. */
const TOLERANCE = 0.6;

const code = await compressed(file);
const cost = async (letters: readonly string[]): Promise<number> =>
  (await named(code, letters.join(""))).sizes.brotli;
const below = (limit: number): number => Math.floor(Math.random() * limit);

let letters: readonly string[] = [...LETTERS[file]];
let bytes = await cost(letters);
let least = bytes;
console.log(bytes, letters.join(""));
while (performance.now() < endsAt) {
  const other = [...letters];
  for (let swaps = 1 + below(3); swaps > 0; swaps--) {
    const [i, j] = [below(other.length), below(other.length)];
    [other[i], other[j]] = [other[j]!, other[i]!];
  }
  const otherBytes = await cost(other);
  if (otherBytes > bytes && Math.random() > 0.3 * Math.exp((bytes - otherBytes) / TOLERANCE)) continue;
  letters = other;
  bytes = otherBytes;
  if (bytes >= least) continue;
  least = bytes;
  console.log(bytes, letters.join(""));
}
