/** Reads CSV by its header. Rows may go over several lines; chunks end where a row ends. */
import { parse } from "csv-parse/browser/esm/sync";
import { ClickstreamError } from "../../errors.ts";
import type { ChunkParser, ImportOptions } from "./row.ts";
import { columnsOf, type Mapping, takeRow, usedColumns } from "./table.ts";

const SEPARATORS = [",", ";", "\t", "|"];

export interface CsvShape {
  readonly separator: string;
  readonly names: readonly string[];
}

/** The columns of the header, the first line that is neither empty nor a comment; its separator is the one that it has most of. */
export function csvShape(head: string): CsvShape {
  const line = /^(?!#|[^\S\r\n]*$).+/m.exec(head.replace(/^\uFEFF/, ""))?.[0] ?? "";
  const count = (separator: string): number => line.split(separator).length;
  const separator = SEPARATORS.reduce((best, one) => (count(one) > count(best) ? one : best));
  const [header] = csvRows(line, separator);
  const names = header?.cells ?? [];
  return { separator, names: names.map((name) => name.trim()) };
}

interface CsvRow {
  /** Undefined for a line in which a quote opens that nothing closes. */
  readonly cells: readonly string[] | undefined;
  /** Lines from the text's beginning to the row's end. */
  readonly lastLine: number;
}

/** What is wrong with such a line. */
export const OPEN_QUOTE = "row: a quote opens that nothing closes";
export const cellsReason = (cells: readonly string[], names: readonly string[]): string =>
  `row: ${cells.length} cells, the header has ${names.length}`;
/** More of them in one text, and the rest of it is taken for one line: it is no CSV. */
const MAX_OPEN_QUOTES = 20;

/** Rows in their order. A quote that nothing closes costs its line: what follows is read as if that were not there. */
export function* csvRows(text: string, separator: string): Generator<CsvRow> {
  let rest = text;
  let line = 0;
  for (let open = 0; rest !== "" && open < MAX_OPEN_QUOTES; open++) {
    const { rows, isOpen } = closedRows(rest, separator);
    const lines = new Lines(rest);
    let before = 0;
    for (const { cells, lastLine } of rows) {
      if (cells.some(mayHoldLines)) {
        lines.passTo(before);
        yield* rowsIn(lines.takeTo(lastLine), { cells, lastLine: line + lastLine }, separator);
      } else yield { cells, lastLine: line + lastLine };
      before = lastLine;
    }
    if (!isOpen) return;
    lines.passTo(before);
    lines.passOne();
    line += lines.passed;
    yield { cells: undefined, lastLine: line };
    rest = rest.slice(lines.at);
  }
}

const mayHoldLines = (cell: string): boolean => cell.startsWith('"') && cell.includes("\n");

/**
 * The row of these lines. Where a quote opens and the next one, lines later, closes nothing, it is taken as it stands, with
 * all rows between in the one cell: then they are read without the line that it opens in.
 */
function* rowsIn(text: string, row: CsvRow, separator: string): Generator<CsvRow> {
  const isQuoted = (cell: string): boolean => text.includes(`"${cell.replaceAll('"', '""')}"`);
  if (row.cells?.every((cell) => !mayHoldLines(cell) || isQuoted(cell))) return yield row;
  const before = row.lastLine - text.split("\n").length + 1;
  const lines = new Lines(text);
  lines.passOne();
  yield { cells: undefined, lastLine: before + lines.passed };
  for (const { cells, lastLine } of csvRows(text.slice(lines.at), separator))
    yield { cells, lastLine: before + lines.passed + lastLine };
}

/** Goes over a text line by line. */
class Lines {
  readonly #text: string;
  at = 0;
  passed = 0;

  constructor(text: string) {
    this.#text = text;
  }

  passTo(line: number): void {
    while (this.passed < line) this.#pass();
  }

  takeTo(line: number): string {
    const from = this.at;
    this.passTo(line);
    return this.#text.slice(from, this.at);
  }

  /** The next one that is not empty. */
  passOne(): void {
    while (this.#text[this.at] === "\n" || this.#text[this.at] === "\r") this.#pass();
    this.#pass();
  }

  #pass(): void {
    this.at = this.#text.indexOf("\n", this.at) + 1 || this.#text.length;
    this.passed++;
  }
}

/** The rows before a quote that nothing closes, if there is one. */
function closedRows(text: string, separator: string) {
  let isOpen = false;
  const rows = parse(text, {
    delimiter: separator,
    record_delimiter: text.includes("\n") ? ["\r\n", "\n"] : "\r",
    info: true,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    skip_records_with_error: true,
    on_skip: () => {
      isOpen = true;
    },
    bom: true,
  }) as unknown as { record: string[]; info: { lines: number } }[];
  // Of a CR and LF within quotes it counts two lines.
  let tooMany = 0;
  const closed = rows.map(({ record, info }) => {
    for (const cell of record) if (cell.includes("\r\n")) tooMany += cell.split("\r\n").length - 1;
    return { cells: record, lastLine: info.lines - tooMany };
  });
  return { rows: closed, isOpen };
}

/** Throws `config` for totals, and where no column tells the time or the page. */
export function csvParser(head: string, options: ImportOptions, mapping?: Mapping): ChunkParser {
  refuseTotals(head);
  const { separator, names } = csvShape(head);
  const columns = columnsOf(names, mapping);
  const index = new Map(names.map((name, i) => [name, i]));
  const twice = usedColumns(columns).find((name) => names.indexOf(name) !== index.get(name));
  if (twice !== undefined)
    throw new ClickstreamError("config", `column "${twice}" stands in the header twice: rename one`);
  return ({ text, firstLine }, sink) => {
    for (const { cells, lastLine } of csvRows(text, separator)) {
      const line = firstLine + lastLine - 1;
      if (!cells) {
        sink.bad(line, OPEN_QUOTE);
        continue;
      }
      if (cells.length === names.length && cells.every((cell, i) => cell.trim() === names[i])) continue;
      if (cells.length !== names.length) {
        sink.bad(line, cellsReason(cells, names));
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
      : `the columns ${totals.join(", ")} are totals: those by day (with a column date) are imported by the command rivulet import, not packed and without a mapping`,
  );
}
