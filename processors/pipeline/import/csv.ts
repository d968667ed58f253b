/** Reads CSV by its header. Rows may go over several lines; chunks end where a row ends. */
import { parse } from "csv-parse/browser/esm/sync";
import { ClickstreamError } from "../../errors.ts";
import type { ChunkParser, ImportOptions } from "./row.ts";
import { columnsOf, type Mapping, takeRow } from "./table.ts";

const SEPARATORS = [",", ";", "\t", "|"];

export interface CsvShape {
  readonly separator: string;
  readonly names: readonly string[];
}

/** The header's columns; the separator is the one that the header has most of. */
export function csvShape(head: string): CsvShape {
  const line = head.replace(/^\uFEFF/, "").split(/\r?\n/, 1)[0] ?? "";
  const count = (separator: string): number => line.split(separator).length;
  const separator = SEPARATORS.reduce((best, one) => (count(one) > count(best) ? one : best));
  const names = csvRows(line, separator)[0]?.cells ?? [];
  return { separator, names: names.map((name) => name.trim()) };
}

interface CsvRow {
  readonly cells: readonly string[];
  /** Lines from the chunk's beginning to the row's end. */
  readonly lastLine: number;
}

/** Throws `bad_request` where quotes do not match. */
export function csvRows(text: string, separator: string): CsvRow[] {
  const rows = parse(text, {
    delimiter: separator,
    info: true,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    bom: true,
  }) as unknown as { record: string[]; info: { lines: number } }[];
  return rows.map(({ record, info }) => ({ cells: record, lastLine: info.lines }));
}

/** Throws `config` for totals, and where no column tells the time or the page. */
export function csvParser(head: string, options: ImportOptions, mapping?: Mapping): ChunkParser {
  refuseTotals(head);
  const { separator, names } = csvShape(head);
  const columns = columnsOf(names, mapping);
  const index = new Map(names.map((name, i) => [name, i]));
  return ({ text, firstLine }, sink) => {
    let rows: CsvRow[];
    try {
      rows = csvRows(text, separator);
    } catch (error) {
      return sink.bad(
        firstLine,
        `csv: quotes do not match (${(error as { code?: string }).code ?? "unreadable"})`,
      );
    }
    for (const { cells, lastLine } of rows) {
      const line = firstLine + lastLine - 1;
      if (line === 1 && cells.length === names.length && cells.every((cell, i) => cell.trim() === names[i]))
        continue;
      if (cells.length !== names.length) {
        sink.bad(line, `row: ${cells.length} cells, the header has ${names.length}`);
        continue;
      }
      takeRow(line, columns, (name) => cells[index.get(name) ?? -1], options, sink);
    }
  };
}

/** Columns that only tables of totals have. */
const TOTALS =
  /^(?:visitors|visits|pageviews|views|active users|total users|new users|users|sessions|event count|bounces|visit_duration|entrances|exits)$/i;

/** Totals are no events: those by day are counted in another way (totals.ts), by the command only. */
function refuseTotals(head: string): void {
  const isGa4 = /^\uFEFF?# -{5,}/.test(head);
  const { names } = csvShape(head.replace(/^(?:\uFEFF?#[^\n]*\n|\s*\n)+/, ""));
  const totals = names.filter((name) => TOTALS.test(name));
  if (!isGa4 && totals.length === 0) return;
  const ga4 = isGa4 || names.some((name) => /users|event count/i.test(name));
  throw new ClickstreamError(
    "config",
    ga4
      ? "a report of GA4 that is not by day: download an exploration with Date among its rows, or export events from BigQuery (event_timestamp, event_name, page_location, user_pseudo_id)"
      : `the columns ${totals.join(", ")} are totals: those by day (with a column date) are imported by the command rivulet import`,
  );
}
