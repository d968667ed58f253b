/** Which keys a store takes: the same for all drivers, so that what works on one works on each. */
import { Buffer } from "node:buffer";
import { invariant } from "../errors.ts";
import type { ItemKey } from "./store.ts";

// DynamoDB takes 2,048 and 1,024 bytes; its driver needs some of them to name the chunks of large values.
const MAX_PK_BYTES = 2_040;
const MAX_SK_BYTES = 990;

/** @throws ClickstreamError `invariant` for a key that some store could not hold: keys are made by code, not by users. */
export function checkKey({ pk, sk }: ItemKey): void {
  const fits = (text: string, most: number) => text.length > 0 && Buffer.byteLength(text) <= most;
  invariant(
    fits(pk, MAX_PK_BYTES) && fits(sk, MAX_SK_BYTES),
    () =>
      `item key: pk of 1 to ${MAX_PK_BYTES} bytes and sk of 1 to ${MAX_SK_BYTES}, got ${Buffer.byteLength(pk)} and ${Buffer.byteLength(sk)}`,
  );
}
