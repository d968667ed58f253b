/** An answer as CSV (RFC 4180), some lines at a time. Safe to open in a spreadsheet: no value of a visitor's is a formula. */
import { bad, present } from "../fields.ts";
import type { MetricValue } from "./metrics.ts";

export interface TableRow {
  readonly metrics: readonly MetricValue[];
  readonly dimensions: readonly string[];
}

/** The parts of an answer that a table of it needs. */
export interface Tabular {
  /** In order. */
  readonly portions: AsyncIterable<readonly TableRow[]> | Iterable<readonly TableRow[]>;
  readonly query: Readonly<Record<string, unknown>>;
}

/** Parameters of an export's address, by name. */
export type Parameters = Readonly<Record<string, string | undefined>>;

const LISTS: ReadonlySet<string> = new Set(["metrics", "dimensions"]);
const JSON_LISTS: ReadonlySet<string> = new Set(["filters", "order_by"]);
/** Proves who asks; not part of the question. */
const SHARE = "share";

/**
 * The body of the same query: lists are separated by commas, two dates of a range as well; filters and order_by are
 * JSON. A list may be JSON too, for property names with a comma. Throws `bad_request` naming the parameter.
 */
export function bodyOf(parameters: Parameters): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(parameters)) {
    if (name === SHARE || !present(text) || text === undefined) continue;
    if (name === "site_id") body[name] = text;
    else if (name === "date_range") body[name] = text.includes(",") ? text.split(",") : text;
    else if (LISTS.has(name)) body[name] = text.startsWith("[") ? json(name, text) : namesIn(text);
    else if (JSON_LISTS.has(name)) body[name] = json(name, text);
    else
      bad(
        `${name.slice(0, 40)}: no such parameter; known are site_id, date_range, metrics, dimensions, filters, order_by, share`,
      );
  }
  return body;
}

const namesIn = (text: string): string[] => (text === "" ? [] : text.split(","));

function json(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return bad(`${name}: not JSON`);
  }
}

const MONEY: ReadonlySet<unknown> = new Set(["total_revenue", "average_revenue"]);

/** Header and rows, some at a time, each with its line end. Dimensions come first; money has a column for its currency. */
export async function* csvLines({ portions, query }: Tabular): AsyncGenerator<string, void> {
  const dimensions = query.dimensions as readonly string[];
  const metrics = query.metrics as readonly string[];
  const columns = metrics.flatMap((name) => (MONEY.has(name) ? [name, `${name}_currency`] : [name]));
  yield line([...dimensions, ...columns].map(cell));
  for await (const rows of portions) {
    let lines = "";
    for (const row of rows) {
      const numbers = row.metrics.flatMap((value, i) =>
        MONEY.has(metrics[i]) ? moneyCells(value) : [value === null ? "" : String(value)],
      );
      lines += line([...row.dimensions.map(cell), ...numbers]);
      // Not a line each: every one is a turn of the loop.
      if (lines.length < PIECE_CHARS) continue;
      yield lines;
      lines = "";
    }
    if (lines !== "") yield lines;
  }
}

const PIECE_CHARS = 16_384;

const line = (cells: readonly string[]): string => `${cells.join(",")}\r\n`;

const moneyCells = (value: MetricValue): [string, string] =>
  typeof value === "object" && value !== null ? [String(value.value), value.currency] : ["", ""];

/**
 * A spreadsheet runs a text that begins like a formula, so an apostrophe goes before it:
 * https://owasp.org/www-community/attacks/CSV_Injection
 */
function cell(text: string): string {
  const safe = /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** `shop.example 2026-11-01 2026-11-30.csv`, with nothing in it that a file system could mind. */
export function fileName({ query }: Pick<Tabular, "query">): string {
  const [from = "", to = ""] = query.date_range as readonly string[];
  const name = `${String(query.site_id)} ${from.slice(0, 10)} ${to.slice(0, 10)}`;
  return `${name.replace(/[^\p{L}\p{N}. -]/gu, "_").replace(/^[.\s]+/, "_")}.csv`;
}

/** `attachment`, with the name in ASCII for old clients and in full for all others (RFC 6266). */
export function disposition(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]/g, "_");
  return `attachment; filename="${plain}"; filename*=UTF-8''${encodeURIComponent(name)}`;
}
