/**
 * The events that benchmarks fold: visits of the test kit's made-up people, in batches of five events as a page's
 * collector sends them, as records of the stream and as the equal JSON lines, one for each event.
 */
import type { WireBatch, WireEvent } from "../../processors/model/event.ts";
import { HOUR_MS } from "../../processors/model/time.ts";
import type { StreamRecord } from "../../processors/streams/stream.ts";
import { generate, type StreamLine } from "../kit/generate.ts";

export const EVENTS_PER_BATCH = 5;
export const SITE = "shop.example";
export const CORPUS_FROM = Date.UTC(2026, 0, 5, 12);

/** A record as Lambda is given it: the data still base64. */
export interface KinesisRecord extends Omit<StreamRecord, "data"> {
  /** Where it lies in the corpus: outside the heap, which would otherwise be searched for garbage all along. */
  readonly data64: Uint8Array;
}

export interface Corpus {
  readonly events: number;
  readonly records: readonly KinesisRecord[];
  /** One JSON object per event and line, with all that the batch and the edge know about it. */
  readonly lines: Uint8Array;
}

/**
 * `events` events within `hours` from CORPUS_FROM, of visits long enough to fill batches. The same seed gives the same
 * bytes. Pages follow Zipf's law over `pages` addresses.
 */
export function makeCorpus({
  seed,
  events,
  hours = 1,
  pages = 10_000,
  perBatch = EVENTS_PER_BATCH,
}: {
  seed: number;
  events: number;
  hours?: number;
  pages?: number;
  perBatch?: number;
}): Corpus {
  const records: KinesisRecord[] = [];
  const lines: string[] = [];
  const open = new Map<string, { batch: WireBatch; line: StreamLine }>();
  const traffic = generate({
    seed,
    from: CORPUS_FROM,
    to: CORPUS_FROM + hours * HOUR_MS,
    events: events * 3, // visits that end before a batch is full are left out
    sites: [SITE],
    pages,
    // Larger batches come from people who stay longer: few of them, each with many events.
    ...(perBatch > EVENTS_PER_BATCH ? { visitors: Math.ceil(events / perBatch / 2) } : {}),
    late: 0,
    duplicates: 0,
    skewed: 0,
    bots: 0,
  });
  for (const line of traffic) {
    const { envelope } = line;
    const batch = JSON.parse(Buffer.from(envelope.body64, "base64").toString()) as WireBatch;
    const visitor = `${envelope.ip} ${envelope.ua64}`;
    const waiting = open.get(visitor);
    const goesOn =
      waiting && (perBatch > EVENTS_PER_BATCH || line.arrival - waiting.line.arrival < HOUR_MS / 2);
    const merged = goesOn
      ? { ...waiting.batch, e: [...waiting.batch.e] }
      : { ...batch, e: [] as WireEvent[] };
    for (const event of batch.e) {
      merged.e.push(goesOn ? { ...event, u: batch.c!.u!, r: batch.c!.r ?? "" } : event);
      if (merged.e.length < perBatch) continue;
      // An id of its own, however many come of one batch of the generator's.
      const b = batch.b!.slice(0, 24) + String(records.length).padStart(8, "0");
      const sent: WireBatch = { ...merged, b, t: batch.t! };
      emit(sent, line);
      merged.e = [];
    }
    if (merged.e.length > 0) open.set(visitor, { batch: merged, line });
    else open.delete(visitor);
    if (records.length * perBatch >= events) break;
  }
  return { events: records.length * perBatch, records, lines: Buffer.from(lines.join("\n")) };

  function emit(batch: WireBatch, { arrival, envelope }: StreamLine): void {
    const body64 = Buffer.from(JSON.stringify(batch)).toString("base64");
    records.push({
      sequence: String(10_000_000 + records.length),
      partitionKey: envelope.ip,
      arrivalAt: arrival,
      data64: Buffer.from(Buffer.from(JSON.stringify({ ...envelope, body64 })).toString("base64")),
    });
    const { e, c, ...shared } = batch;
    const { route, id, at, ip, country } = envelope;
    const ua = Buffer.from(envelope.ua64, "base64").toString();
    const origin = Buffer.from(envelope.origin64, "base64").toString();
    for (const event of e)
      lines.push(
        JSON.stringify({ route, id, at, ip, ua, country, origin, ...shared, ...c, ...event, sent: batch.t }),
      );
  }
}

/** What is done with a record, a text in Lambda's event, before it is folded. */
export const streamRecord = ({ data64, ...rest }: KinesisRecord): StreamRecord => ({
  ...rest,
  data: Buffer.from((data64 as Buffer).toString("latin1"), "base64"),
});

/** Parses the lines from byte `from` on, `count` of them, as a program that reads JSON lines would; returns where it ended. */
export function parseLines(lines: Uint8Array, from: number, count: number): number {
  const bytes = lines as Buffer;
  let at = from;
  for (let i = 0; i < count; i++) {
    const end = bytes.indexOf(10, at);
    const stop = end < 0 ? bytes.length : end;
    const event = JSON.parse(bytes.toString("utf8", at, stop)) as { n?: string };
    if (event.n === undefined) throw new Error(`line ${i} has no name`);
    at = stop + 1;
  }
  return at;
}
