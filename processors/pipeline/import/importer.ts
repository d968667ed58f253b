/**
 * Imports one file: what is new in it goes on the stream, chunk by chunk, and after it the ledger. A crash in between
 * repeats whole records under the same ids, which the fold drops; so nothing is counted twice, and nothing is left out.
 */
import { ClickstreamError } from "../../errors.ts";
import type { RejectReason } from "../../model/event.ts";
import type { Clock, EpochMs } from "../../model/time.ts";
import { type LocalDate, localDate } from "../../model/zone.ts";
import type { Store } from "../../stores/store.ts";
import { hoursFrom } from "../expiry.ts";
import { listSites } from "../sites.ts";
import { CHUNK_BYTES } from "./chunks.ts";
import {
  entriesOf,
  type ImportCounts,
  type ImportEntry,
  type KeptEntry,
  keepEntry,
  NO_COUNTS,
} from "./ledger.ts";
import { type ImportRecord, Packer } from "./record.ts";
import type { RowSink, SkipReason } from "./row.ts";

/** Part of a file, ready to be read. */
export interface ImportChunk {
  /** Where it ends: bytes of text, or rows. */
  readonly end: number;
  /** Digest of the file up to there. */
  readonly digest: string;
  /** Lines or rows that end in it. */
  readonly lines: number;
  /** It ends in the middle of a line. */
  readonly isInLine?: boolean;
  readonly atEnd: boolean;
  parse(sink: RowSink): void;
}

/** A file that can be read from anywhere, again and again. */
export interface ImportSource {
  readonly name: string;
  /** Equal for files that begin alike. */
  readonly head: string;
  /** Format and options, equal where they are. */
  readonly settings: string;
  /** Tools and libraries count as visitors. */
  readonly libraries: boolean;
  /** Digests of the file up to these positions, where it goes that far. */
  digestsAt(positions: readonly number[]): Promise<ReadonlyMap<number, string>>;
  chunks(from: {
    readonly position: number;
    readonly lines: number;
    readonly cut?: number | undefined;
    /** Length of a chunk, about. */
    readonly chunkBytes: number;
  }): AsyncIterable<ImportChunk>;
}

export interface ImportDeps {
  readonly store: Store;
  readonly clock: Clock;
  /** Resolves when all are durable, in order. */
  readonly put: (records: readonly ImportRecord[]) => Promise<void>;
  /** Takes lines that could not be used. */
  readonly report: {
    /** Forgets what comes after this length. */
    begin(length: number): Promise<void>;
    add(line: number, reason: string): void;
    /** Makes what was added durable; answers the length. */
    flush(): Promise<number>;
  };
  /** Told after each chunk. */
  readonly progress?: (entry: ImportEntry) => void;
  /** Asked before each chunk: true ends the run early. */
  readonly shouldStop?: () => boolean;
}

export interface ImportResult {
  readonly entry: ImportEntry;
  /** False: stopped before the end; running again goes on. */
  readonly isFinished: boolean;
  /** Events that this run counted; what robots sent is none. */
  readonly events: number;
  /** How far the file had been imported before. */
  readonly from: number;
  /** Its name then, if that was another: bad lines of before are in the report of that. */
  readonly knownAs?: string | undefined;
  /** The first day that the site keeps, where it keeps not all. */
  readonly keptSince?: LocalDate | undefined;
}

/** Between two notes in the ledger: what a crash repeats, and the fold drops. */
const NOTE_MS = 1_000;

export interface ImportSettings {
  readonly site: string;
  /** How many records a chunk is spread over, for a file that is new. */
  readonly lanes: number;
  /** How long a chunk is, for a file that is new. Default CHUNK_BYTES. */
  readonly chunkBytes?: number;
}

/** Throws `config` when the file was imported with other options, and what store and stream throw. */
export async function importFile(
  deps: ImportDeps,
  source: ImportSource,
  { site, lanes, chunkBytes = CHUNK_BYTES }: ImportSettings,
): Promise<ImportResult> {
  const { store, clock, report } = deps;
  const entries = await entriesOf(store, site, source.head);
  let kept = await findEntry(entries, source);
  if (kept && kept.entry.settings !== source.settings)
    throw new ClickstreamError(
      "config",
      `${source.name} was imported on ${new Date(kept.entry.updatedAt).toISOString().slice(0, 10)} with other options (${kept.entry.settings}): importing it again would count it twice`,
    );
  const from = kept?.entry.position ?? 0;
  const knownAs = kept && kept.entry.name !== source.name ? kept.entry.name : undefined;
  // The report beside a file of another name is another one, if there is any.
  if (kept && knownAs !== undefined)
    kept = { ...kept, entry: { ...kept.entry, name: source.name, reportBytes: 0 } };
  await report.begin(kept?.entry.reportBytes ?? 0);
  const known = (await listSites(store)).find(({ id }) => id === site);
  const keptFrom = known ? hoursFrom(known, clock.now()) : 0;
  let counts = new Counting(kept?.entry.counts ?? NO_COUNTS);
  const before = counts.counted;
  let packer: Packer | undefined;
  let notedAt = clock.now();
  let tail = kept?.entry.tail;
  const start = {
    position: from,
    lines: kept ? endedLines(kept.entry) : 0,
    cut: tail,
    chunkBytes: kept ? chunkBytesOf(kept.entry) : chunkBytes,
  };
  for await (const chunk of source.chunks(start)) {
    if (kept && deps.shouldStop?.()) {
      kept = await note(deps, site, source, kept, await report.flush());
      return { entry: kept.entry, isFinished: false, events: counts.counted - before, from, knownAs };
    }
    // Before anything is put, so that whoever goes on finds the number of lanes, and the end of a last chunk.
    if (!kept) refuseShared(entries, source, chunk.digest);
    kept ??= await openEntry(deps, source, { site, lanes, chunkBytes, first: chunk.digest });
    if (chunk.atEnd && tail !== chunk.end) {
      tail = chunk.end;
      kept = await keepEntry(store, site, source.head, { ...kept, entry: { ...kept.entry, tail } });
    }
    packer ??= new Packer({ site, lanes: kept.entry.lanes, libraries: source.libraries });
    const fresh = counts.copy();
    readChunk(chunk, packer, fresh, report, { now: clock.now(), keptFrom });
    const records = packer.pack(chunk.digest.slice(0, 32));
    if (records.length > 0) await deps.put(records);
    counts = fresh;
    kept = {
      ...kept,
      entry: {
        ...kept.entry,
        position: chunk.end,
        digest: chunk.digest,
        lines: endedLines(kept.entry) + chunk.lines + (chunk.isInLine ? 1 : 0),
        isInLine: chunk.isInLine,
        counts: counts.snapshot(),
      },
    };
    deps.progress?.(kept.entry);
    if (clock.now() - notedAt < NOTE_MS) continue;
    kept = await note(deps, site, source, kept, await report.flush());
    notedAt = clock.now();
  }
  if (!kept) {
    const entry = newEntry(source, { lanes, chunkBytes }, clock.now());
    return { entry: { ...entry, isDone: true }, isFinished: true, events: 0, from: 0 };
  }
  const length = await report.flush();
  if (!kept.entry.isDone || kept.entry.position !== from)
    kept = await note(deps, site, source, { ...kept, entry: { ...kept.entry, isDone: true } }, length);
  const keptSince = known && keptFrom > 0 ? localDate(known.timeZone, keptFrom) : undefined;
  return { entry: kept.entry, isFinished: true, events: counts.counted - before, from, knownAs, keptSince };
}

/** The import of this very file that went furthest, by the digest of what it has read. */
async function findEntry(
  entries: readonly KeptEntry[],
  source: ImportSource,
): Promise<KeptEntry | undefined> {
  if (entries.length === 0) return undefined;
  const digests = await source.digestsAt(entries.map(({ entry }) => entry.position));
  const same = entries
    .filter(({ entry }) => entry.position > 0 && digests.get(entry.position) === entry.digest)
    .sort((a, b) => b.entry.position - a.entry.position);
  if (same[0]) return same[0];
  // Begun, and nothing noted yet: then its first chunk tells.
  const begun = entries.filter(({ entry }) => entry.position === 0);
  for (const one of begun) {
    const { tail: cut } = one.entry;
    for await (const { digest } of source.chunks({
      position: 0,
      lines: 0,
      cut,
      chunkBytes: chunkBytesOf(one.entry),
    })) {
      if (digest === one.first) return one;
      break;
    }
  }
  return undefined;
}

/** Throws `config` for a file that begins as one that was imported, and then ends sooner or goes on in another way. */
function refuseShared(entries: readonly KeptEntry[], { name }: ImportSource, first: string): void {
  const known = entries.find((one) => one.first === first)?.entry;
  if (known && known.position > 0)
    throw new ClickstreamError(
      "config",
      `${name} begins as ${known.name} did when it was imported, but is not the whole of it: what both hold would be counted twice`,
    );
}

const endedLines = ({ lines, isInLine }: ImportEntry): number => (isInLine ? lines - 1 : lines);

const chunkBytesOf = ({ chunkBytes = CHUNK_BYTES }: ImportEntry): number => chunkBytes;

const newEntry = (
  { name, settings }: ImportSource,
  { lanes, chunkBytes }: Required<Pick<ImportSettings, "lanes" | "chunkBytes">>,
  now: EpochMs,
): ImportEntry => ({
  name,
  settings,
  lanes,
  chunkBytes,
  position: 0,
  digest: "",
  lines: 0,
  isDone: false,
  counts: NO_COUNTS,
  reportBytes: 0,
  startedAt: now,
  updatedAt: now,
});

const openEntry = (
  { store, clock }: ImportDeps,
  source: ImportSource,
  { site, first, ...sizes }: Required<ImportSettings> & { readonly first: string },
): Promise<KeptEntry> =>
  keepEntry(store, site, source.head, { entry: newEntry(source, sizes, clock.now()), first, version: 0 });

const note = (
  { store, clock }: ImportDeps,
  site: string,
  { head }: ImportSource,
  kept: KeptEntry,
  reportBytes: number,
): Promise<KeptEntry> =>
  keepEntry(store, site, head, { ...kept, entry: { ...kept.entry, reportBytes, updatedAt: clock.now() } });

function readChunk(
  chunk: ImportChunk,
  packer: Packer,
  counts: Counting,
  report: ImportDeps["report"],
  { now, keptFrom }: { readonly now: EpochMs; readonly keptFrom: EpochMs },
): void {
  const bad = (line: number, reason: string): void => {
    counts.bad++;
    report.add(line, reason);
  };
  chunk.parse({
    row(line, row) {
      const taken = packer.add(row, now);
      if (typeof taken === "object") {
        counts.rejects[taken.reason] = (counts.rejects[taken.reason] ?? 0) + 1;
        bad(line, `${taken.reason}: ${taken.message}`);
        return;
      }
      counts.events++;
      if (taken === "bot") counts.bots++;
      else if (row.at < keptFrom) counts.unkept++;
    },
    skip(reason) {
      counts.skipped[reason] = (counts.skipped[reason] ?? 0) + 1;
    },
    bad,
  });
}

class Counting {
  events: number;
  bots: number;
  unkept: number;
  bad: number;
  readonly skipped: Partial<Record<SkipReason, number>>;
  readonly rejects: Partial<Record<RejectReason, number>>;

  constructor({ events, bots, unkept = 0, bad, skipped, rejects }: ImportCounts) {
    this.events = events;
    this.bots = bots;
    this.unkept = unkept;
    this.bad = bad;
    this.skipped = { ...skipped };
    this.rejects = { ...rejects };
  }

  get counted(): number {
    return this.events - this.bots;
  }

  copy = (): Counting => new Counting(this);
  snapshot = (): ImportCounts => ({
    events: this.events,
    bots: this.bots,
    ...(this.unkept > 0 ? { unkept: this.unkept } : {}),
    bad: this.bad,
    skipped: { ...this.skipped },
    rejects: { ...this.rejects },
  });
}
