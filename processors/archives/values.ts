/** Rows as their values alone, in the order of the columns: as journals hold them, and what goes into Parquet and comes out. */
import { ARCHIVE_COLUMNS, type ArchiveRow, type Column } from "../model/archive.ts";

/** Of one row, in the order of ARCHIVE_COLUMNS. */
export type Values = readonly unknown[];

/** Written out, because a row is made for every event, and looking up each value by its column's name takes longer. */
export const valuesOf = (row: ArchiveRow): Values => [
  row.site,
  row.shard,
  row.sequence,
  row.index,
  row.at,
  row.received_at,
  row.late,
  row.imported,
  row.visitor,
  row.fresh,
  row.visit,
  row.name,
  row.hostname,
  row.page,
  row.interactive,
  row.visit_source,
  row.visit_channel,
  row.visit_referrer,
  row.visit_utm_source,
  row.visit_utm_medium,
  row.visit_utm_campaign,
  row.visit_utm_term,
  row.visit_utm_content,
  row.visit_entry_page,
  row.visit_device,
  row.visit_browser,
  row.visit_os,
  row.visit_country,
  row.visit_screen,
  row.visit_language,
  row.props,
  row.currency,
  row.amount_minor,
  row.engaged_ms,
  row.scroll_depth,
  row.lcp,
  row.inp,
  row.cls,
  row.fcp,
  row.ttfb,
  row.rejected,
  row.count,
  row.visit_browser_version,
  row.visit_os_version,
  row.visit_region,
  row.visit_region_name,
  row.visit_city,
];

/**
 * Tells the place among `Values` and the value of each column in which a row differs from the one before it. Written out,
 * because then most comparisons are of two pointers.
 */
export function eachChange(
  row: ArchiveRow,
  before: ArchiveRow,
  changed: (place: number, value: unknown) => void,
): void {
  if (row.site !== before.site) changed(0, row.site);
  if (row.shard !== before.shard) changed(1, row.shard);
  if (row.sequence !== before.sequence) changed(2, row.sequence);
  if (row.index !== before.index) changed(3, row.index);
  if (row.at !== before.at) changed(4, row.at);
  if (row.received_at !== before.received_at) changed(5, row.received_at);
  if (row.late !== before.late) changed(6, row.late);
  if (row.imported !== before.imported) changed(7, row.imported);
  if (row.visitor !== before.visitor) changed(8, row.visitor);
  if (row.fresh !== before.fresh) changed(9, row.fresh);
  if (row.visit !== before.visit) changed(10, row.visit);
  if (row.name !== before.name) changed(11, row.name);
  if (row.hostname !== before.hostname) changed(12, row.hostname);
  if (row.page !== before.page) changed(13, row.page);
  if (row.interactive !== before.interactive) changed(14, row.interactive);
  if (row.visit_source !== before.visit_source) changed(15, row.visit_source);
  if (row.visit_channel !== before.visit_channel) changed(16, row.visit_channel);
  if (row.visit_referrer !== before.visit_referrer) changed(17, row.visit_referrer);
  if (row.visit_utm_source !== before.visit_utm_source) changed(18, row.visit_utm_source);
  if (row.visit_utm_medium !== before.visit_utm_medium) changed(19, row.visit_utm_medium);
  if (row.visit_utm_campaign !== before.visit_utm_campaign) changed(20, row.visit_utm_campaign);
  if (row.visit_utm_term !== before.visit_utm_term) changed(21, row.visit_utm_term);
  if (row.visit_utm_content !== before.visit_utm_content) changed(22, row.visit_utm_content);
  if (row.visit_entry_page !== before.visit_entry_page) changed(23, row.visit_entry_page);
  if (row.visit_device !== before.visit_device) changed(24, row.visit_device);
  if (row.visit_browser !== before.visit_browser) changed(25, row.visit_browser);
  if (row.visit_os !== before.visit_os) changed(26, row.visit_os);
  if (row.visit_country !== before.visit_country) changed(27, row.visit_country);
  if (row.visit_screen !== before.visit_screen) changed(28, row.visit_screen);
  if (row.visit_language !== before.visit_language) changed(29, row.visit_language);
  if (row.props !== before.props) changed(30, row.props);
  if (row.currency !== before.currency) changed(31, row.currency);
  if (row.amount_minor !== before.amount_minor) changed(32, row.amount_minor);
  if (row.engaged_ms !== before.engaged_ms) changed(33, row.engaged_ms);
  if (row.scroll_depth !== before.scroll_depth) changed(34, row.scroll_depth);
  if (row.lcp !== before.lcp) changed(35, row.lcp);
  if (row.inp !== before.inp) changed(36, row.inp);
  if (row.cls !== before.cls) changed(37, row.cls);
  if (row.fcp !== before.fcp) changed(38, row.fcp);
  if (row.ttfb !== before.ttfb) changed(39, row.ttfb);
  if (row.rejected !== before.rejected) changed(40, row.rejected);
  if (row.count !== before.count) changed(41, row.count);
  if (row.visit_browser_version !== before.visit_browser_version) changed(42, row.visit_browser_version);
  if (row.visit_os_version !== before.visit_os_version) changed(43, row.visit_os_version);
  if (row.visit_region !== before.visit_region) changed(44, row.visit_region);
  if (row.visit_region_name !== before.visit_region_name) changed(45, row.visit_region_name);
  if (row.visit_city !== before.visit_city) changed(46, row.visit_city);
}

/**
 * The row of these values. Written out: an object that gets its fields one by one, by their columns' names, takes seven
 * times as much memory, and a rebuild holds a million.
 */
export function rowOf(values: Values): ArchiveRow {
  const row: Readonly<Record<keyof ArchiveRow, unknown>> = {
    site: values[0],
    shard: values[1],
    sequence: values[2],
    index: values[3],
    at: values[4],
    received_at: values[5],
    late: values[6],
    imported: values[7],
    visitor: values[8] ?? null,
    fresh: values[9],
    visit: values[10] ?? null,
    name: values[11] ?? null,
    hostname: values[12] ?? null,
    page: values[13] ?? null,
    interactive: values[14],
    visit_source: values[15] ?? null,
    visit_channel: values[16] ?? null,
    visit_referrer: values[17] ?? null,
    visit_utm_source: values[18] ?? null,
    visit_utm_medium: values[19] ?? null,
    visit_utm_campaign: values[20] ?? null,
    visit_utm_term: values[21] ?? null,
    visit_utm_content: values[22] ?? null,
    visit_entry_page: values[23] ?? null,
    visit_device: values[24] ?? null,
    visit_browser: values[25] ?? null,
    visit_os: values[26] ?? null,
    visit_country: values[27] ?? null,
    visit_screen: values[28] ?? null,
    visit_language: values[29] ?? null,
    props: values[30],
    currency: values[31] ?? null,
    amount_minor: values[32] ?? null,
    engaged_ms: values[33] ?? null,
    scroll_depth: values[34] ?? null,
    lcp: values[35] ?? null,
    inp: values[36] ?? null,
    cls: values[37] ?? null,
    fcp: values[38] ?? null,
    ttfb: values[39] ?? null,
    rejected: values[40] ?? null,
    count: values[41],
    visit_browser_version: values[42] ?? null,
    visit_os_version: values[43] ?? null,
    visit_region: values[44] ?? null,
    visit_region_name: values[45] ?? null,
    visit_city: values[46] ?? null,
  };
  return row as ArchiveRow;
}

/** Place of a column in `Values`. */
export const placeOf = (name: Column["name"]): number =>
  ARCHIVE_COLUMNS.findIndex((column) => column.name === name);
