/** Reads a shard's records in portions that end where commits end. Knows nothing of what is in them. */
import { ClickstreamError } from "../errors.ts";
import { compareSequences, type Stream, type StreamRecord } from "../streams/stream.ts";

const RECORDS_AT_ONCE = 250;

/** Hands out the records of a shard in order, a portion at a time, reading ahead by at most one page. */
export class RecordSource {
  readonly #stream: Stream;
  readonly #shard: string;
  #after: string;
  #page: readonly StreamRecord[] = [];

  constructor(stream: Stream, shard: string, after: string) {
    this.#stream = stream;
    this.#shard = shard;
    this.#after = after;
  }

  /** The records not handed out yet, up to and including `to`. */
  async take(to: string): Promise<StreamRecord[]> {
    const taken: StreamRecord[] = [];
    for (;;) {
      if (this.#page.length === 0)
        this.#page = (
          await this.#stream.read(this.#shard, this.#after, RECORDS_AT_ONCE).catch(nothing)
        ).records;
      const next = this.#page.findIndex(({ sequence }) => compareSequences(sequence, to) > 0);
      const own = next < 0 ? this.#page : this.#page.slice(0, next);
      taken.push(...own);
      this.#page = next < 0 ? [] : this.#page.slice(next);
      this.#after = own.at(-1)?.sequence ?? this.#after;
      if (own.length === 0 || next >= 0 || compareSequences(this.#after, to) >= 0) return taken;
    }
  }
}

/** A shard that the stream has forgotten has no records left. */
const nothing = (error: unknown): { readonly records: readonly StreamRecord[] } => {
  if (error instanceof ClickstreamError && error.code === "not_found") return { records: [] };
  throw error;
};
