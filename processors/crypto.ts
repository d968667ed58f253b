/** Randomness and keyed hashing from node:crypto, handed to the pure core as arguments. */
import { createHmac, randomBytes as nodeRandomBytes } from "node:crypto";
import type { KeyedHash } from "./pipeline/visitor.ts";

/** HMAC-SHA-256 cut to 64 bits, as 16 hex digits. Without the key the input cannot be found by trying addresses. */
export const keyedHash: KeyedHash = (key, text) =>
  createHmac("sha256", key).update(text).digest("hex").slice(0, 16);

export const randomBytes = (length: number): Uint8Array => nodeRandomBytes(length);

export const systemClock = { now: () => Date.now() };
