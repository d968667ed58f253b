/** Reads the partials of a commit, of this version and of earlier ones. Totals and tables are read when somebody asks for them. */
import { EVENT_DIMENSIONS, EXIT_PAGE, VISIT_DIMENSIONS } from "../model/dimensions.ts";
import { REJECT_REASONS } from "../model/event.ts";
import { type DeferredTable, Rollup } from "../model/rollup.ts";
import type { EpochMs } from "../model/time.ts";
import { ByteReader, ByteWriter } from "../sketches/bytes.ts";
import { decodeFeed, type FeedEntry } from "./feed.ts";
import { ALWAYS, type Partial, type PartialFold } from "./partial.ts";
import { encodePartials } from "./partialbytes.ts";
import { decodeRow, type Names, PartialTable } from "./partialtable.ts";
import { Shares } from "./shares.ts";
import { STATE_VERSION } from "./statebytes.ts";
import { TextReader, TextWriter } from "./texts.ts";

/** The last version that held the feed as JSON. */
const JSON_FEED_VERSION = 3;
/** The last in which totals, and rows under each attribute of a visit, were written. Then these dimensions came first. */
const SPREAD_VERSION = 4;
const SPREAD_TOTALS = "";
const SPREAD_ALWAYS: readonly string[] = [SPREAD_TOTALS, ...VISIT_DIMENSIONS, EXIT_PAGE, ...EVENT_DIMENSIONS];

/** Partials as a commit of this version has them, 3 or later. RangeError for bytes that end early or name what is not there. */
export function decodePartials(bytes: Uint8Array, texts: TextReader, version: number): Map<string, Partial> {
  const reader = new ByteReader(bytes);
  const partials = new Map<string, Partial>();
  const isSpread = version <= SPREAD_VERSION;
  for (let sites = reader.varint(); sites > 0; sites--) {
    const site = texts.textOf(reader.varint());
    const names = decodeNames(reader, texts, isSpread ? SPREAD_ALWAYS : ALWAYS);
    const windows = new Map<EpochMs, Rollup>();
    let start = 0;
    for (let left = reader.varint(); left > 0; left--) {
      start += reader.varint();
      const late = reader.varint();
      const rejects = decodeRejects(reader);
      const rollup = isSpread ? decodeSpreadWindow(reader, bytes, names) : decodeWindow(reader, names);
      rollup.late = late;
      for (const [reason, count] of rejects) rollup.reject(reason, count);
      windows.set(start, rollup);
    }
    const feed = version <= JSON_FEED_VERSION ? decodeJsonFeed(reader) : decodeFeed(reader, texts);
    partials.set(site, { windows, feed });
  }
  return partials;
}

export const decodeJsonFeed = (reader: ByteReader): FeedEntry[] => JSON.parse(reader.text()) as FeedEntry[];

/** What was folded, as readers see it. */
export function rollupsOf(partial: PartialFold): ReadonlyMap<EpochMs, Rollup> {
  const writer = new ByteWriter(4096);
  const texts = new TextWriter();
  encodePartials(new Map([["", partial]]), writer, texts);
  const written = writer.finish();
  const textWriter = new ByteWriter(1024);
  texts.encodeTo(textWriter);
  const textReader = new TextReader(new ByteReader(textWriter.finish()), true);
  return decodePartials(written, textReader, STATE_VERSION).get("")!.windows;
}

function decodeNames(reader: ByteReader, texts: TextReader, always: readonly string[]): Names {
  const people = new Uint32Array(reader.varint() * 2);
  for (let i = 0; i < people.length; i++) people[i] = reader.uint32();
  const dimensions: { name: string; firstRank: number }[] = [];
  const values: number[] = [];
  const count = always.length + reader.varint();
  for (let index = 0; index < count; index++) {
    dimensions.push({ name: always[index] ?? texts.textOf(reader.varint()), firstRank: values.length });
    for (let columns = reader.varint(); columns > 0; columns--) values.push(reader.varint());
  }
  return { people, dimensions, texts, valueOf: (rank) => texts.textOf(values[rank] ?? -1) };
}

function decodeRejects(reader: ByteReader): [(typeof REJECT_REASONS)[number], number][] {
  const rejects: [(typeof REJECT_REASONS)[number], number][] = [];
  for (let left = reader.varint(); left > 0; left--) {
    const reason = REJECT_REASONS[reader.byte()];
    if (!reason) throw new RangeError("unknown reject reason in a commit");
    rejects.push([reason, reader.varint()]);
  }
  return rejects;
}

function decodeWindow(reader: ByteReader, names: Names): Rollup {
  const bytes = reader.block();
  // Compaction and the newest answers want all of it, the recount of history nothing.
  let shares: Shares | undefined;
  const read = (): Shares => {
    shares ??= new Shares(bytes, names);
    return shares;
  };
  const rollup = new Rollup(() => read().totals());
  if (bytes.length > 0)
    for (const [place, name] of VISIT_DIMENSIONS.entries()) rollup.defer(name, () => read().table(place));
  for (let number = reader.varint(); number > 0; number = reader.varint())
    deferTable(rollup, reader, number - 1, names);
  return rollup;
}

function decodeSpreadWindow(reader: ByteReader, bytes: Uint8Array, names: Names): Rollup {
  const rollup = new Rollup(decodeRow(reader, bytes, names));
  for (let index = reader.varint(); index > 0; index = reader.varint())
    deferTable(rollup, reader, index, names);
  return rollup;
}

function deferTable(rollup: Rollup, reader: ByteReader, index: number, names: Names): void {
  const dimension = names.dimensions[index];
  if (!dimension || dimension.name === SPREAD_TOTALS) throw new RangeError(`dimension ${index} in a commit`);
  const bytes = reader.block();
  // Read once: compaction merges it into a minute and an hour, and every new question looks at all that came since.
  let table: DeferredTable | undefined;
  rollup.defer(dimension.name, () => {
    table ??= new PartialTable(bytes, dimension.firstRank, names);
    return table;
  });
}
