/** The port of files that are imported: bytes as they lie somewhere, packed or not. One conformance suite defines "correct". */

export interface RawFile {
  /** Without folders. */
  readonly name: string;
  readonly byteLength: number;
  /**
   * All bytes from the beginning, in portions of any size, as often as it is called; whoever stops reading leaves nothing
   * open. Throws `unavailable` on an outage and when the file was changed meanwhile, `config` when it cannot be read.
   */
  stream(): AsyncIterable<Uint8Array>;
  /** Bytes from `start` to before `end`; throws as `stream`. */
  slice(start: number, end?: number): Promise<ArrayBuffer>;
}
