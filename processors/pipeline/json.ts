/** JSON as bytes of UTF-8: in the store, in the bucket, and as envelopes travel. */
export const encodeJson = (value: unknown): Uint8Array<ArrayBuffer> =>
  new TextEncoder().encode(JSON.stringify(value));

/** What `encodeJson` made of a `T`: nothing is checked. */
export const decodeJson = <T>(value: Uint8Array): T => JSON.parse(new TextDecoder().decode(value)) as T;
