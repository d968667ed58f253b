/**
 * Tables of totals, as Plausible exports them and as explorations of GA4 are downloaded: a row holds the numbers of one
 * day, of everything or of one page, source, country. Reads rows; knows neither windows nor stores.
 */
import { ClickstreamError } from "../../errors.ts";
import { PAGEVIEW } from "../../model/event.ts";
import { isDay } from "../../model/zone.ts";
import { DIRECT_NONE } from "../enrich/acquisition.ts";
import { cellsReason, csvRows, csvShape, OPEN_QUOTE } from "./csv.ts";
import { isBookkeeping } from "./table.ts";

/** The numbers that a row may hold; times in seconds. */
const METRICS = {
  visitors: "visitors users activeusers totalusers",
  visits: "visits sessions entrances exits",
  pageviews: "pageviews views screenpageviews",
  events: "events eventcount",
  bounces: "bounces",
  duration: "visitduration",
  engagedVisits: "engagedsessions",
  averageDuration: "averagesessionduration avgsessionduration",
  timeOnPage: "totaltimeonpage",
  reads: "totaltimeonpagevisits",
  scrollDepth: "totalscrolldepth",
  scrolls: "totalscrolldepthvisits",
} as const;
export type Metric = keyof typeof METRICS;

/** What a row may be of. The columns of one table belong to one group: its first names the table. */
const GROUPS: readonly (readonly (readonly [dimension: string, columns: string])[])[] = [
  [["event:page", "page pagepath pagepathandscreenclass"]],
  [["visit:entry_page", "entrypage landingpage"]],
  [["visit:exit_page", "exitpage"]],
  [
    ["visit:source", "source sessionsource"],
    ["visit:referrer", "referrer"],
    ["visit:utm_source", "utmsource"],
    ["visit:utm_medium", "utmmedium"],
    ["visit:utm_campaign", "utmcampaign"],
    ["visit:utm_content", "utmcontent"],
    ["visit:utm_term", "utmterm"],
  ],
  [["visit:country", "country countryid"]],
  [["visit:browser", "browser"]],
  [["visit:os", "operatingsystem"]],
  [["visit:device", "device devicecategory"]],
  [["event:name", "name eventname"]],
];
/** Finer than anything that is kept; their rows add up, but for visitors who are in several. */
const FINER = "hostname region city browserversion operatingsystemversion linkurl path timeonpage".split(" ");

const MAX_VALUE_CHARS = 2_000;
/** Of one row; a number beyond is a mistake, and would take its time. */
const MAX_NUMBER = 1e9;
const MAX_VISITORS = 1e7;

export interface TotalsTable {
  /** The dimension that the rows are of; "" where they are of everything. */
  readonly of: string;
  rows(): Iterable<TotalsRow | BadRow>;
}

export interface TotalsRow {
  readonly line: number;
  /** YYYY-MM-DD. */
  readonly date: string;
  readonly values: readonly (readonly [dimension: string, value: string])[];
  readonly metrics: Readonly<Partial<Record<Metric, number>>>;
}

export interface BadRow {
  readonly line: number;
  readonly reason: string;
}

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");

/** Whether a header is one of totals: it has a day and no time, and a number that only totals have. */
export function isTotals(head: string): boolean {
  const names = csvShape(withoutComments(head).text).names.map(plain);
  return names.includes("date") && find(names, METRICS.visitors) !== undefined;
}

/** Throws `config` for columns that are not known: rows that differ by something unknown would count visitors twice. */
export function totalsTable(name: string, whole: string): TotalsTable {
  const { text, lines: before } = withoutComments(whole);
  const { names, separator } = csvShape(text);
  const plainNames = names.map(plain);
  const metrics = Object.entries(METRICS).flatMap(([metric, columns]) => {
    const at = find(plainNames, columns);
    return at === undefined ? [] : [[metric as Metric, at] as const];
  });
  const group =
    GROUPS.find((one) => one.some(([, columns]) => find(plainNames, columns) !== undefined)) ?? [];
  const dimensions = group.flatMap(([dimension, columns]) => {
    const at = find(plainNames, columns);
    return at === undefined ? [] : [[dimension, at] as const];
  });
  const date = plainNames.indexOf("date");
  const known = new Set([date, ...metrics.map(([, at]) => at), ...dimensions.map(([, at]) => at)]);
  const unknown = names.filter((_, at) => !known.has(at) && !FINER.includes(plainNames[at]!));
  if (date < 0 || unknown.length > 0)
    throw new ClickstreamError(
      "config",
      date < 0
        ? `${name}: no column "date": totals are counted by day`
        : `${name}: the columns ${unknown.join(", ")} are not known here: leave them out of the export`,
    );
  const has = (metric: Metric): boolean => metrics.some(([one]) => one === metric);
  const isOfVisits = group[0] === undefined || group[0][0].startsWith("visit:");
  const saysHow = (has("bounces") && has("duration")) || (has("engagedVisits") && has("averageDuration"));
  if (isOfVisits && has("visits") && !saysHow && group[0]?.[0] !== "visit:exit_page")
    throw new ClickstreamError(
      "config",
      `${name}: has visits, and not how many bounced and how long they took: add those columns (GA4: Engaged sessions and Average session duration)`,
    );
  return {
    of: dimensions[0]?.[0] ?? "",
    *rows() {
      let isHeader = true;
      for (const { cells, lastLine } of csvRows(text, separator)) {
        if (isHeader) {
          isHeader = false;
          continue;
        }
        const line = before + lastLine;
        if (!cells) yield { line, reason: OPEN_QUOTE };
        else if (cells.length !== names.length) yield { line, reason: cellsReason(cells, names) };
        else yield rowOf(line, cells, { date, dimensions, metrics });
      }
    },
  };
}

interface Places {
  readonly date: number;
  readonly dimensions: readonly (readonly [dimension: string, at: number])[];
  readonly metrics: readonly (readonly [metric: Metric, at: number])[];
}

function rowOf(line: number, cells: readonly string[], places: Places): TotalsRow | BadRow {
  const day = /^(\d{4})-?(\d{2})-?(\d{2})$/.exec(cells[places.date]?.trim() ?? "");
  const date = day ? `${day[1]}-${day[2]}-${day[3]}` : "";
  if (!isDay(date)) return { line, reason: "date: not YYYY-MM-DD" };
  const metrics: Partial<Record<Metric, number>> = {};
  for (const [metric, at] of places.metrics) {
    const value = Number(cells[at]?.trim() || "0");
    const isFine = metric === "averageDuration" ? Number.isFinite(value) : Number.isInteger(value);
    const most = metric === "visitors" ? MAX_VISITORS : MAX_NUMBER;
    if (!isFine || value < 0 || value > most)
      return { line, reason: `${metric}: not a whole number up to ${most}` };
    metrics[metric] = value;
  }
  const values = places.dimensions.flatMap(([dimension, at]) => {
    const value = countedAs(dimension, cells[at]?.trim() ?? "");
    return value === "" ? [] : [[dimension, value] as const];
  });
  if (values.some(([, value]) => value.length > MAX_VALUE_CHARS))
    return { line, reason: `value: over ${MAX_VALUE_CHARS} characters` };
  return { line, date, values, metrics };
}

/** A value as it is counted here; "" for one that says that nothing is known. */
function countedAs(dimension: string, value: string): string {
  if (value === "(not set)" || value === "(other)") return "";
  switch (dimension) {
    case "visit:source":
    case "visit:referrer":
      return value === "" || value === "(direct)" ? DIRECT_NONE : value;
    case "visit:device":
      return value.slice(0, 1).toUpperCase() + value.slice(1).toLowerCase();
    case "visit:os":
      return SYSTEMS[value] ?? value;
    case "visit:country":
      return /^[A-Z]{2}$/.test(value) ? value : (countries().get(value) ?? "");
    case "event:name":
      return isBookkeeping(value) ? "" : value === "page_view" ? PAGEVIEW : value;
    default:
      return value;
  }
}

const SYSTEMS: Readonly<Record<string, string>> = { Mac: "macOS", Macintosh: "macOS", "GNU/Linux": "Linux" };

let byName: ReadonlyMap<string, string> | undefined;
/** ISO 3166-1 alpha-2 codes by their English names: GA4 writes those. */
function countries(): ReadonlyMap<string, string> {
  if (!byName) {
    const names = new Intl.DisplayNames("en", { type: "region", fallback: "none" });
    const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
    const codes = letters.flatMap((a) => letters.map((b) => a + b));
    byName = new Map(codes.map((code) => [names.of(code) ?? "", code]));
  }
  return byName;
}

function find(names: readonly string[], columns: string): number | undefined {
  const found = columns.split(" ").find((column) => names.includes(column));
  return found === undefined ? undefined : names.indexOf(found);
}

/** GA4 begins its files with some lines of comment. */
function withoutComments(text: string): { readonly text: string; readonly lines: number } {
  const comments = /^(?:\uFEFF?#[^\n]*\n|[\s,]*\n)*/.exec(text)?.[0] ?? "";
  return { text: text.slice(comments.length), lines: comments.split("\n").length - 1 };
}
