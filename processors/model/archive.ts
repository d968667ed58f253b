/**
 * The archive row: one event as the fold counted it, with what the fold decided. Names and types here are those of the
 * Parquet files, of the Glue table and of the lines handed to Firehose. Knows no file and no service.
 */
import { AGENT_DIMENSIONS, PLACE_DIMENSIONS, VISIT_DIMENSIONS, type VisitDimension } from "./dimensions.ts";
import type { RejectReason, Vital } from "./event.ts";
import type { EpochMs } from "./time.ts";

/** `text` is UTF-8, `int` fits 32 bits, `long` 53 bits (INT64 in files), `map` is text to text. */
export type ColumnType = "text" | "int" | "long" | "bool" | "double" | "map";

/** `visit:utm_source` as a column: `visit_utm_source`. */
type ColumnOf<Dimension extends string> = Dimension extends `visit:${infer Name}` ? `visit_${Name}` : never;
export type VisitColumn = ColumnOf<VisitDimension>;
export type AgentColumn = ColumnOf<(typeof AGENT_DIMENSIONS)[number]>;
export type PlaceColumn = ColumnOf<(typeof PLACE_DIMENSIONS)[number]>;

/** In the order of the dimensions. */
const columnsOf = <Dimension extends string>(dimensions: readonly Dimension[]): ColumnOf<Dimension>[] =>
  dimensions.map((dimension) => dimension.replace(":", "_") as ColumnOf<Dimension>);
export const VISIT_COLUMNS = columnsOf(VISIT_DIMENSIONS);
export const AGENT_COLUMNS = columnsOf(AGENT_DIMENSIONS);
export const PLACE_COLUMNS = columnsOf(PLACE_DIMENSIONS);

/**
 * One event, report or reject, and of its agent and place what no rollup holds: null in a reject, in a report without a
 * visit, where no table of places is given, and in files from before there were these columns.
 */
export type ArchiveRow = CountedRow & Readonly<Record<AgentColumn | PlaceColumn, string | null>>;

/**
 * What of a row is counted. (shard, sequence, index) is its identity: a row may be written twice, and then readers
 * drop the repeat. Folding the rows in the order of their identity gives the rollups that hold them.
 */
export interface CountedRow
  extends Readonly<Record<VisitColumn, string | null>>,
    Readonly<Record<Vital, number | null>> {
  readonly site: string;
  readonly shard: string;
  /** Sequence number of the record, decimal, up to 56 digits: longer is greater, then compare as text. */
  readonly sequence: string;
  /** Number of the row within its record. */
  readonly index: number;
  /** Event time; of a reject, the time of receipt. */
  readonly at: EpochMs;
  readonly received_at: EpochMs;
  readonly late: boolean;
  /** It came by an import; its visitor is remembered apart from those who are here now. */
  readonly imported: boolean;
  /** The fold's pseudonym, 16 hex digits; null for a reject. */
  readonly visitor: string | null;
  /** Nothing was remembered of the visitor when the record came: the fold began anew with them. */
  readonly fresh: boolean;
  /** Event time with which the visit began when it was folded; never changes, so (visitor, visit) names a visit. Null for rejects, and for reports without a visit. */
  readonly visit: EpochMs | null;
  readonly name: string | null;
  readonly hostname: string | null;
  readonly page: string | null;
  readonly interactive: boolean;
  /** Text to text, in the order in which they came. */
  readonly props: readonly (readonly [key: string, value: string])[];
  readonly currency: string | null;
  readonly amount_minor: number | null;
  readonly engaged_ms: number | null;
  readonly scroll_depth: number | null;
  /** Why input was refused, and how many of the record were for that reason; null and 0 for an event. */
  readonly rejected: RejectReason | null;
  readonly count: number;
}

export interface Column {
  readonly name: keyof ArchiveRow;
  readonly type: ColumnType;
  readonly nullable: boolean;
}

const column = (name: keyof ArchiveRow, type: ColumnType, nullable = false): Column => ({
  name,
  type,
  nullable,
});

/** In the order of the files. Append only: old files lack what came later. */
export const ARCHIVE_COLUMNS: readonly Column[] = [
  column("site", "text"),
  column("shard", "text"),
  column("sequence", "text"),
  column("index", "int"),
  column("at", "long"),
  column("received_at", "long"),
  column("late", "bool"),
  column("imported", "bool"),
  column("visitor", "text", true),
  column("fresh", "bool"),
  column("visit", "long", true),
  column("name", "text", true),
  column("hostname", "text", true),
  column("page", "text", true),
  column("interactive", "bool"),
  ...VISIT_COLUMNS.map((name) => column(name, "text", true)),
  column("props", "map"),
  column("currency", "text", true),
  column("amount_minor", "long", true),
  column("engaged_ms", "long", true),
  column("scroll_depth", "int", true),
  column("lcp", "double", true),
  column("inp", "double", true),
  column("cls", "double", true),
  column("fcp", "double", true),
  column("ttfb", "double", true),
  column("rejected", "text", true),
  column("count", "long"),
  ...[...AGENT_COLUMNS, ...PLACE_COLUMNS].map((name) => column(name, "text", true)),
];

/** Columns that files may lack because they are older, all nullable. */
export const LATER_COLUMNS: readonly Column[] = ARCHIVE_COLUMNS.slice(
  ARCHIVE_COLUMNS.findIndex(({ name }) => name === AGENT_COLUMNS[0]),
);

/** Identity as the fold's order: by shard, sequence number, index. */
export function compareRows(
  a: Pick<ArchiveRow, "shard" | "sequence" | "index">,
  b: Pick<ArchiveRow, "shard" | "sequence" | "index">,
): number {
  if (a.shard !== b.shard) return a.shard < b.shard ? -1 : 1;
  if (a.sequence.length !== b.sequence.length) return a.sequence.length - b.sequence.length;
  if (a.sequence !== b.sequence) return a.sequence < b.sequence ? -1 : 1;
  return a.index - b.index;
}

/** The partition of a row: UTC date and hour of its event time, as `dt=2026-11-23/hour=07` names them. */
export function partitionOf(at: EpochMs): { readonly dt: string; readonly hour: string } {
  const iso = new Date(at).toISOString();
  return { dt: iso.slice(0, 10), hour: iso.slice(11, 13) };
}

/**
 * Folder of a site's rows in the bucket, escaped as the delivery stream's expression `@uri` does: in jq 1.6, by which
 * Firehose goes, that leaves `!'()*` alone, as here (https://github.com/jqlang/jq/pull/2157).
 */
export const rowsOfSite = (site: string): string => `archive/site=${encodeURIComponent(site)}/`;
