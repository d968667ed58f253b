/** Rows of a local archive's files: read by column and written out field by field, because a rebuild does it for every row. */
import { readFile } from "node:fs/promises";
import { type CountedRow, compareRows } from "../model/archive.ts";
import { columnsIn, rowGroups } from "./parquetread.ts";

/** Those of a counted row, but the site: a file's rows are of one. */
const COLUMNS = [
  "shard",
  "sequence",
  "index",
  "at",
  "received_at",
  "late",
  "imported",
  "visitor",
  "fresh",
  "visit",
  "name",
  "hostname",
  "page",
  "interactive",
  "visit_source",
  "visit_channel",
  "visit_referrer",
  "visit_utm_source",
  "visit_utm_medium",
  "visit_utm_campaign",
  "visit_utm_term",
  "visit_utm_content",
  "visit_entry_page",
  "visit_device",
  "visit_browser",
  "visit_os",
  "visit_country",
  "visit_screen",
  "visit_language",
  "props",
  "currency",
  "amount_minor",
  "engaged_ms",
  "scroll_depth",
  "lcp",
  "inp",
  "cls",
  "fcp",
  "ttfb",
  "rejected",
  "count",
] as const satisfies readonly (keyof CountedRow)[];

/** Columns as they are read: what is null may be undefined. */
type Columns = {
  readonly [Name in (typeof COLUMNS)[number]]: ArrayLike<
    null extends CountedRow[Name] ? CountedRow[Name] | undefined : CountedRow[Name]
  >;
};

/** A row group of a file, by number, as far as its rows are of one shard. */
export interface Stretch {
  readonly path: string;
  readonly group: number;
  readonly shard: string;
}

/** Its rows of the visitors that `isWanted`, in the order of the fold. Throws what the file system throws. */
export async function readStretch(
  site: string,
  { path, group, shard }: Stretch,
  isWanted: (visitor: string | null) => boolean,
): Promise<CountedRow[]> {
  const read = columnsIn(rowGroups(await readFile(path))[group]!, COLUMNS);
  const columns = read as unknown as Columns;
  const rows: CountedRow[] = [];
  let isInOrder = true;
  for (let i = 0; i < columns.shard.length; i++) {
    if (columns.shard[i] !== shard || !isWanted(columns.visitor[i] ?? null)) continue;
    const row = rowOf(site, shard, columns, i);
    isInOrder &&= rows.length === 0 || compareRows(rows.at(-1)!, row) <= 0;
    rows.push(row);
  }
  return isInOrder ? rows : rows.sort(compareRows);
}

const rowOf = (site: string, shard: string, columns: Columns, i: number): CountedRow => ({
  site,
  shard,
  sequence: columns.sequence[i]!,
  index: columns.index[i]!,
  at: columns.at[i]!,
  received_at: columns.received_at[i]!,
  late: columns.late[i]!,
  imported: columns.imported[i]!,
  visitor: columns.visitor[i] ?? null,
  fresh: columns.fresh[i]!,
  visit: columns.visit[i] ?? null,
  name: columns.name[i] ?? null,
  hostname: columns.hostname[i] ?? null,
  page: columns.page[i] ?? null,
  interactive: columns.interactive[i]!,
  visit_source: columns.visit_source[i] ?? null,
  visit_channel: columns.visit_channel[i] ?? null,
  visit_referrer: columns.visit_referrer[i] ?? null,
  visit_utm_source: columns.visit_utm_source[i] ?? null,
  visit_utm_medium: columns.visit_utm_medium[i] ?? null,
  visit_utm_campaign: columns.visit_utm_campaign[i] ?? null,
  visit_utm_term: columns.visit_utm_term[i] ?? null,
  visit_utm_content: columns.visit_utm_content[i] ?? null,
  visit_entry_page: columns.visit_entry_page[i] ?? null,
  visit_device: columns.visit_device[i] ?? null,
  visit_browser: columns.visit_browser[i] ?? null,
  visit_os: columns.visit_os[i] ?? null,
  visit_country: columns.visit_country[i] ?? null,
  visit_screen: columns.visit_screen[i] ?? null,
  visit_language: columns.visit_language[i] ?? null,
  props: columns.props[i]!,
  currency: columns.currency[i] ?? null,
  amount_minor: columns.amount_minor[i] ?? null,
  engaged_ms: columns.engaged_ms[i] ?? null,
  scroll_depth: columns.scroll_depth[i] ?? null,
  lcp: columns.lcp[i] ?? null,
  inp: columns.inp[i] ?? null,
  cls: columns.cls[i] ?? null,
  fcp: columns.fcp[i] ?? null,
  ttfb: columns.ttfb[i] ?? null,
  rejected: columns.rejected[i] ?? null,
  count: columns.count[i]!,
});
