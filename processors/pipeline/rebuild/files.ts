/** What the steps of a rebuild on AWS leave in the bucket for each other: where it lies, how rows are divided and windows encoded. Reads and writes nothing. */
import type { ArchiveRow } from "../../model/archive.ts";
import type { EpochMs } from "../../model/time.ts";
import type { LocalDate } from "../../model/zone.ts";
import { ByteReader, ByteWriter } from "../../sketches/bytes.ts";
import { compareSequences } from "../../streams/stream.ts";
import type { LoggedShard } from "../commit.ts";
import { type Erased, type ErasureNotes, NO_NOTES } from "../erasure.ts";
import type { Keep, KeptSite } from "../expiry.ts";
import { bad } from "../fields.ts";
import { hash53 } from "../hash.ts";

/** What one execution was told, and found when it began: all later steps see the same. */
export interface Begun {
  readonly site: string;
  readonly zone: string;
  readonly keep?: Keep;
  /** Whose rows are left out, and taken out of the archive if there is a switch. */
  readonly erased?: Erased;
  /** Rows before this are archived no longer. */
  readonly archivedFrom: EpochMs;
  readonly from: EpochMs;
  readonly to: EpochMs;
  /** The edition that is being made, and the one that is read. */
  readonly space: string;
  readonly current: string;
  /** By shard: the last record that is counted from the archive. */
  readonly ends: Readonly<Record<string, { readonly to: string; readonly committedAt: EpochMs }>>;
  readonly shards: readonly LoggedShard[];
  /** When it began: decides which minutes are still made. */
  readonly now: EpochMs;
}

/** How long the data of its site are kept. */
export const keptSiteOf = ({ zone, keep }: Begun): KeptSite => ({
  timeZone: zone,
  ...(keep ? { keep } : {}),
});

/** The archive's objects in portions, and into how many lots visitors are divided. */
export interface Plan {
  readonly portions: readonly (readonly string[])[];
  readonly lots: number;
}

/** What was found of the rows of one portion while they were sorted. */
export interface Sorted {
  /** By shard, when the first of its rows was received. */
  readonly since: Readonly<Record<string, EpochMs>>;
  /** Event time of the earliest row; absent where there is none. */
  readonly earliest?: EpochMs;
}

/** What goes of one lot of visitors, and how what stays of it changes. */
export interface LotErasure extends ErasureNotes {
  readonly rows: number;
  /** That rows which go are of. */
  readonly hours: readonly EpochMs[];
}

/** What has to be known of rows that are being taken out, until nothing counts them any more. */
export interface Erasing extends ErasureNotes {
  /** That rows which go are of, or went before. */
  readonly hours: readonly EpochMs[];
  /** Event time of the site's earliest row before any went; absent where there is none. */
  readonly earliest?: EpochMs;
}

export const NOT_ERASING: Erasing = { ...NO_NOTES, hours: [] };

/** Where it lies while rows are taken out: whoever starts the same erasure after a failure finds it. */
export const keyOfErasing = (site: string, erased: Erased): string =>
  `rebuild/erasing/${encodeURIComponent(site)}/${hash53(JSON.stringify(erased)).toString(16)}.json`;

/** Windows as they were folded, encoded rollups by start. */
export interface Windows {
  readonly rows: number;
  readonly hours: ReadonlyMap<EpochMs, Uint8Array>;
  readonly minutes: ReadonlyMap<EpochMs, Uint8Array>;
  readonly incomplete: ReadonlySet<EpochMs>;
}

/** Keys of one execution. What lies under `rebuild/interim/` is gone after some days, reports stay longer. */
export const keysOfRun = (run: string) => {
  const work = `rebuild/interim/${encodeURIComponent(run)}`;
  return {
    begun: `${work}/begun.json`,
    plan: `${work}/plan.json`,
    rows: (lot: number): string => `${work}/rows/${lot}/`,
    sorted: `${work}/sorted/`,
    erasures: `${work}/erasures/`,
    windows: (lot: number): string => `${work}/windows/${lot}`,
    merged: `${work}/merged`,
    changes: `${work}/changes/`,
    report: `rebuild/reports/${encodeURIComponent(run)}.json`,
  };
};

export interface Order {
  readonly site: string;
  /** Default: all that the archive tells all of. */
  readonly from?: LocalDate | undefined;
  readonly to?: LocalDate | undefined;
  readonly erased?: Erased | undefined;
}

/** Of a state machine that starts this one. */
const STARTED_BY = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID";

/**
 * What an execution was started with. Throws `bad_request`, which names the field, also one that there is not: who mistook
 * the name of `erase` would hold somebody for erased.
 */
export function parseOrder(input: unknown): Order {
  const { site, from, to, erase, switch: switches, ...rest } = (input ?? {}) as Record<string, unknown>;
  const unknown = Object.keys(rest).find((field) => field !== STARTED_BY);
  if (unknown !== undefined) bad(`${unknown}: none of site, from, to, erase and switch`);
  // The workflow takes "true" for no.
  if (switches !== undefined && typeof switches !== "boolean") bad("switch: true or false");
  if (typeof site !== "string" || site === "") return bad("site: the id of a site");
  const order = { site, from: parseDate("from", from), to: parseDate("to", to), erased: parseErased(erase) };
  if (order.from && order.to && order.from > order.to) bad("from: comes after to");
  return order;
}

function parseDate(field: string, value: unknown): LocalDate | undefined {
  if (value === undefined) return undefined;
  const at = typeof value === "string" ? Date.parse(`${value}T00:00:00Z`) : Number.NaN;
  if (Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== value)
    return bad(`${field}: a day such as 2026-11-01`);
  return value as LocalDate;
}

function parseErased(value: unknown): Erased | undefined {
  if (value === undefined) return undefined;
  const { visitor, page, ...rest } = (value ?? {}) as Record<string, unknown>;
  const isOne = (visitor === undefined) !== (page === undefined) && Object.keys(rest).length === 0;
  if (isOne && typeof visitor === "string" && /^[0-9a-f]{16}$/.test(visitor)) return { visitor };
  if (isOne && typeof page === "string" && page !== "") return { page };
  return bad('erase: {"visitor": "the 16 hexadecimal digits of a row"} or {"page": "/a/path"}');
}

/** Whether the edition that is being made counts a row. */
export function isCounted({ site, shard, sequence }: ArchiveRow, begun: Begun): boolean {
  const end = begun.ends[shard];
  return site === begun.site && end !== undefined && compareSequences(sequence, end.to) <= 0;
}

/** The last digits of a pseudonym are as good as random. What belongs to no visitor needs no order. */
export const lotOf = ({ visitor }: Pick<ArchiveRow, "visitor">, lots: number): number =>
  visitor === null ? 0 : Number.parseInt(visitor.slice(8, 16), 16) % lots;

const VERSION = 1;

export function encodeWindows({ rows, hours, minutes, incomplete }: Windows): Uint8Array {
  const writer = new ByteWriter(64 * 1024);
  writer.byte(VERSION);
  writer.varint(rows);
  for (const windows of [hours, minutes]) {
    writer.varint(windows.size);
    for (const [start, bytes] of [...windows].sort(([a], [b]) => a - b)) {
      writer.varint(start);
      writer.block(bytes);
    }
  }
  writer.varint(incomplete.size);
  for (const hour of incomplete) writer.varint(hour);
  return writer.finish();
}

export function decodeWindows(bytes: Uint8Array): Windows {
  const reader = new ByteReader(bytes);
  const version = reader.byte();
  if (version !== VERSION) throw new RangeError(`windows version ${version}, this code reads ${VERSION}`);
  const rows = reader.varint();
  const read = (): Map<EpochMs, Uint8Array> => {
    const windows = new Map<EpochMs, Uint8Array>();
    for (let left = reader.varint(); left > 0; left--) windows.set(reader.varint(), reader.block());
    return windows;
  };
  const hours = read();
  const minutes = read();
  const incomplete = new Set<EpochMs>();
  for (let left = reader.varint(); left > 0; left--) incomplete.add(reader.varint());
  return { rows, hours, minutes, incomplete };
}
