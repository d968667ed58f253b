/** Keys and values for the conformance suites. */
import type { Item } from "../../processors/stores/store.ts";

let partitions = 0;
/** A partition that no other test, and no earlier run against a real account, has used. */
export const freshPartition = (): string =>
  `t${Date.now().toString(36)}.${Math.random().toString(36).slice(2)}.${partitions++}`;

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (item: Item | undefined): string | undefined =>
  item && new TextDecoder().decode(item.value);

/** Bytes that no codec can shrink, the same for the same seed. */
export function noise(length: number, seed: number): Uint8Array {
  const out = new Uint8Array(length);
  let state = seed | 1;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    out[i] = state;
  }
  return out;
}
