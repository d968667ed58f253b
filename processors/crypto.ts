/** Randomness and keyed hashing from node:crypto, handed to the pure core as arguments. */
import { hash, randomBytes as nodeRandomBytes, timingSafeEqual } from "node:crypto";
import type { Secrets } from "./pipeline/access.ts";
import type { KeyedHash } from "./pipeline/visitor.ts";

/**
 * SHA-256 over key and text, cut to 64 bits, as 16 hex digits. Without the key the input cannot be found by trying
 * addresses. A plain prefix is enough where HMAC would be needed elsewhere: the key has a fixed length, and of a cut
 * digest nobody can compute another one. (HMAC takes 25 times as long here: Node wraps the key anew for every call.)
 */
export const keyedHash: KeyedHash = (key, text) => hash("sha256", hexOf(key) + text, "hex").slice(0, 16);

/** A day's salt is asked for with every batch. */
const hexes = new WeakMap<Uint8Array, string>();
function hexOf(key: Uint8Array): string {
  let hex = hexes.get(key);
  if (hex === undefined) {
    hex = Buffer.from(key).toString("hex");
    hexes.set(key, hex);
  }
  return hex;
}

export const randomBytes = (length: number): Uint8Array => nodeRandomBytes(length);

/** SHA-256 is enough for secrets of 256 random bits: there is nothing to guess that a slow hash would protect. */
export const secrets: Secrets = {
  hash: (text) => hash("sha256", text, "hex"),
  equal(a, b) {
    const [left, right] = [Buffer.from(a), Buffer.from(b)];
    return left.length === right.length && timingSafeEqual(left, right);
  },
};
