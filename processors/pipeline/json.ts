/** JSON as the store holds it: bytes of UTF-8. */
export const encodeJson = (value: unknown): Uint8Array<ArrayBuffer> =>
  new TextEncoder().encode(JSON.stringify(value));

/** What `encodeJson` made of a `T`: nothing is checked. */
export const decodeJson = <T>(value: Uint8Array): T => JSON.parse(new TextDecoder().decode(value)) as T;
