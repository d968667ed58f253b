/** Reads rows with named columns, whatever file they come from: by synonyms of the names, or by a mapping that somebody wrote. */
import { ClickstreamError } from "../../errors.ts";
import { ENGAGEMENT, PAGEVIEW } from "../../model/event.ts";
import type { EpochMs } from "../../model/time.ts";
import { isDay } from "../../model/zone.ts";
import { isObject } from "../decode/checks.ts";
import type { ImportExtra } from "../decode/imported.ts";
import { logTimes } from "./accesslog.ts";
import { takeRequest } from "./request.ts";
import type { ImportOptions, RowSink } from "./row.ts";

/** What a column can mean. */
export const FIELDS = [
  "time",
  "url",
  "hostname",
  "path",
  "query",
  "name",
  "referrer",
  "ip",
  "agent",
  "visitor",
  "country",
  "language",
  "width",
  "amount",
  "currency",
  "engaged_ms",
  "scroll_depth",
  "interactive",
  "method",
  "status",
] as const;
export type Field = (typeof FIELDS)[number];

/** Column names by what they mean. A mapping file is JSON of this form. */
export interface Mapping extends Readonly<Partial<Record<Field, string>>> {
  /** Property name -> column name. */
  readonly props?: Readonly<Record<string, string>>;
}

/** Names as they are written elsewhere, in lower case and without anything but letters and digits. Best first. `request...` is Caddy's. */
const SYNONYMS: Readonly<Record<Field, string>> = {
  time: "time timestamp datetime eventtime eventtimestamp occurredat createdat at ts date timeiso8601 timelocal msec",
  url: "pagelocation url pageurl location fullurl currenturl href u",
  hostname: "hostname host domain httphost servername requesthost",
  path: "path pathname pagepath page requesturi uri",
  query: "query querystring args",
  name: "name event eventname eventtype n action",
  referrer: "pagereferrer referrer referer httpreferer httpreferrer r requestheadersreferer",
  ip: "ip ipaddress clientip remoteaddr remoteip ipaddr address requestclientip requestremoteip",
  agent: "useragent agent httpuseragent ua requestheadersuseragent",
  visitor: "visitor visitorid userpseudoid clientid anonymousid distinctid deviceid userid",
  country: "country countrycode countryiso",
  language: "language lang locale browserlanguage",
  width: "width screenwidth viewportwidth windowwidth",
  amount: "amount revenue revenueamount purchaserevenue",
  currency: "currency revenuecurrency currencycode",
  engaged_ms: "engagedms engagementtime engagementtimemsec",
  scroll_depth: "scrolldepth percentscrolled",
  interactive: "interactive",
  method: "method requestmethod httpmethod",
  status: "status statuscode responsestatus httpstatus",
};

const PROPERTY = /^(?:props?|properties|params?)[.:_/](.+)$/i;
const UTM = /^utm[_ ]?(source|medium|campaign|term|content)$/i;

/** How GA4 and others name what has a meaning here. */
const PAGEVIEW_NAMES: ReadonlySet<string> = new Set([
  "pageview",
  "page_view",
  "page view",
  "$pageview",
  "page",
]);
/** How GA4 names its reports of engaged time. */
const USER_ENGAGEMENT = "user_engagement";
/** GA4 writes these by itself beside what people do. */
const BOOKKEEPING: ReadonlySet<string> = new Set(["session_start", "first_visit", "first_open"]);

/** Whether a total of events by this name counts nothing that people did. Plausible exports its reports of engaged time beside events. */
export const isBookkeeping = (name: string): boolean =>
  BOOKKEEPING.has(name) || name === USER_ENGAGEMENT || name === ENGAGEMENT;

/** Gives a cell by the column's name; undefined when it is empty or missing. */
export type Cell = (column: string) => unknown;

export interface Columns {
  readonly fields: Readonly<Partial<Record<Field, string>>>;
  readonly props: readonly (readonly [property: string, column: string])[];
  /** `utm_source`... -> column. */
  readonly utm: readonly (readonly [parameter: string, column: string])[];
}

/** Whether rows are requests of a log: they tell method and status, and no event's name. */
export const areRequests = ({ fields: { method, status, name } }: Columns): boolean =>
  method !== undefined && status !== undefined && name === undefined;

/** Names of those that are read. */
export const usedColumns = ({ fields, props, utm }: Columns): string[] => [
  ...Object.values(fields),
  ...[...props, ...utm].map(([, column]) => column),
];

/** Names of columns that a mapping speaks of, by what they are to be. */
export const mappedColumns = ({ props = {}, ...fields }: Mapping): [what: string, column: string][] => [
  ...Object.entries(fields),
  ...Object.entries(props).map(([property, column]): [string, string] => [`props.${property}`, column]),
];

/**
 * What the columns of a file mean; `others` are asked for what no column of `names` tells. Throws `config` when none tells
 * the time, or none the page, or when the mapping speaks of one that is not there.
 */
export function columnsOf(
  names: readonly string[],
  mapping: Mapping = {},
  others: readonly string[] = [],
): Columns {
  const all = [...new Set([...names, ...others])];
  for (const [what, column] of mappedColumns(mapping))
    if (!all.includes(column))
      throw new ClickstreamError(
        "config",
        `mapping: ${what} is to be column "${column}", which the file lacks`,
      );
  const ranked = [plainNames(names), plainNames(others)];
  const fields: Partial<Record<Field, string>> = {};
  for (const field of FIELDS) {
    const synonyms = SYNONYMS[field].split(" ");
    const found =
      mapping[field] ?? ranked.flatMap((byName) => synonyms.flatMap((name) => byName.get(name) ?? []))[0];
    if (found !== undefined) fields[field] = found;
  }
  if (fields.time === undefined)
    throw new ClickstreamError(
      "config",
      `no column tells the time among ${listed(names)}: name it with --map`,
    );
  if (fields.url === undefined && fields.path === undefined)
    throw new ClickstreamError(
      "config",
      `no column tells the page among ${listed(names)}: name it with --map`,
    );
  const props = mapping.props
    ? Object.entries(mapping.props)
    : all.flatMap((name) => {
        const property = PROPERTY.exec(name)?.[1];
        return property === undefined ? [] : [[property, name] as const];
      });
  const utm = all.flatMap((name) => {
    const word = UTM.exec(name)?.[1];
    return word === undefined ? [] : [[`utm_${word.toLowerCase()}`, name] as const];
  });
  return { fields, props, utm };
}

/** Names by how they are looked up; the first of those that are looked up alike. */
function plainNames(names: readonly string[]): Map<string, string> {
  const byName = new Map<string, string>();
  for (const name of names) {
    const plain = name.toLowerCase().replace(/[^a-z0-9]/g, "");
    if (!byName.has(plain)) byName.set(plain, name);
  }
  return byName;
}

const listed = (names: readonly string[]): string =>
  names.slice(0, 12).join(", ") + (names.length > 12 ? "..." : "");

/** A mapping file's content. Throws `config` with what is wrong in it. */
export function parseMapping(text: string): Mapping {
  let raw: unknown;
  try {
    // Some editors begin a file with a mark.
    raw = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (cause) {
    throw new ClickstreamError("config", "mapping: not JSON", { cause });
  }
  if (!isObject(raw)) throw new ClickstreamError("config", "mapping: not an object");
  for (const [key, value] of Object.entries(raw)) {
    const isProps =
      key === "props" && isObject(value) && Object.values(value).every((name) => typeof name === "string");
    if (!isProps && !(typeof value === "string" && (FIELDS as readonly string[]).includes(key)))
      throw new ClickstreamError(
        "config",
        `mapping.${key}: give the name of a column for one of ${FIELDS.join(", ")}, or {"property": "column"} as props`,
      );
  }
  return raw as Mapping;
}

/** One row as an event, or as a request where it has a method and a status. */
export function takeRow(
  line: number,
  columns: Columns,
  cell: Cell,
  options: ImportOptions,
  sink: RowSink,
): void {
  const { fields, props, utm } = columns;
  const text = (field: Field): string =>
    textOf(fields[field] === undefined ? undefined : cell(fields[field]!));
  const at = timeOf(fields.time === undefined ? undefined : cell(fields.time));
  if (at === undefined) {
    sink.bad(line, "time: neither ISO 8601 nor as in logs nor seconds, ms or µs since 1970");
    return;
  }
  const ip = text("ip");
  const agent = text("agent");
  const referrer = text("referrer");
  const query = text("query").replace(/^\?/, "");
  const path = text("path");
  // Servers write what follows the path into it, and once more by itself.
  const target = text("url") || (query === "" || path.includes("?") ? path : `${path}?${query}`);
  if (target === "") {
    sink.bad(line, "url: empty");
    return;
  }
  const status = text("status");
  const method = text("method").toUpperCase();
  if (/^\d{3}$/.test(status) && method !== "" && text("name") === "") {
    const host = text("hostname");
    // Logs say of a browser that names itself by nothing what servers that report for people need not say.
    const known = agent || (fields.agent === undefined ? "" : "-");
    takeRequest(
      line,
      { at, ip, method, target, host, status: Number(status), referrer, agent: known },
      options,
      sink,
    );
    return;
  }
  const sent = text("name") || PAGEVIEW;
  if (BOOKKEEPING.has(sent)) {
    sink.skip("bookkeeping");
    return;
  }
  const name = PAGEVIEW_NAMES.has(sent.toLowerCase())
    ? PAGEVIEW
    : sent === USER_ENGAGEMENT
      ? ENGAGEMENT
      : sent;
  const properties: Record<string, string> = {};
  for (const [property, column] of props) {
    const value = textOf(cell(column));
    if (value !== "") properties[property] = value;
  }
  sink.row(line, {
    at,
    ip,
    agent,
    url: withCampaign(absolute(target, text("hostname") || options.hostname), utm, cell),
    referrer,
    kind: {
      n: name,
      ...(props.length > 0 && { p: properties }),
      ...(text("interactive").toLowerCase() === "false" && { i: false }),
    },
    visitor: text("visitor"),
    country: text("country"),
    language: text("language"),
    width: Number(text("width")) || 0,
    extra: extraOf(text, name),
  });
}

function extraOf(text: (field: Field) => string, name: string): ImportExtra | undefined {
  if (name === ENGAGEMENT) {
    const engaged = text("engaged_ms");
    const depth = text("scroll_depth");
    return {
      ...(engaged === "" ? {} : { ms: Number(engaged) }),
      ...(depth === "" ? {} : { sd: Number(depth) }),
    };
  }
  const amount = text("amount");
  return amount === "" ? undefined : { $: { amount, currency: text("currency") } };
}

const absolute = (target: string, hostname: string): string =>
  /^[a-z][a-z0-9+.-]*:\/\//i.test(target)
    ? target
    : `https://${hostname}${target.startsWith("/") ? "" : "/"}${target}`;

/** Campaign columns become parameters, where the URL has none of its own. */
function withCampaign(url: string, utm: Columns["utm"], cell: Cell): string {
  let result = url;
  for (const [parameter, column] of utm) {
    const value = textOf(cell(column));
    if (value === "" || value === "(not set)" || url.includes(`${parameter}=`)) continue;
    const [page = "", fragment] = result.split(/(#.*)/s);
    result = `${page}${page.includes("?") ? "&" : "?"}${parameter}=${encodeURIComponent(value.toWellFormed())}${fragment ?? ""}`;
  }
  return result;
}

/** A scalar as text; what is none, and what exports write for nothing, is "". */
function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "" : value.toISOString();
  if (typeof value === "object") return "";
  const text = String(value).trim();
  return text === "-" || text === "\\N" ? "" : text;
}

const ZONED = /(?:Z|[+-]\d{2}:?\d{2})$/i;
const DAY_AND_TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{1,2}:\d{2}/;
const logTime = logTimes();

/**
 * ISO 8601 (UTC where it names no zone), as access logs write it (`10/Oct/2000:13:55:36 -0700`), seconds (10 digits, with
 * a fraction), ms (13) or µs (16) since 1970. A day alone is no time: rows that have nothing else are totals.
 */
export function timeOf(raw: unknown): EpochMs | undefined {
  if (raw instanceof Date) return Number.isNaN(raw.getTime()) ? undefined : raw.getTime();
  const text = typeof raw === "string" ? raw.trim() : typeof raw === "bigint" ? String(raw) : raw;
  const number =
    typeof text === "number"
      ? text
      : /^\d{10,19}(?:\.\d+)?$/.test(text as string)
        ? Number(text)
        : Number.NaN;
  if (!Number.isNaN(number)) {
    if (number >= 1e9 && number < 1e11) return Math.floor(number * 1_000);
    if (number >= 1e12 && number < 1e14) return Math.floor(number);
    if (number >= 1e15 && number < 1e17) return Math.floor(number / 1_000);
    if (number >= 1e18 && number < 1e20) return Math.floor(number / 1_000_000);
    return undefined;
  }
  if (typeof text !== "string") return undefined;
  const plain = text.replace(/ UTC$/, "Z");
  if (!DAY_AND_TIME.test(plain)) return logTime(plain);
  // Of a zone the minutes may be left out.
  const iso = plain
    .replace(" ", "T")
    .replace(/ (?=[+-]\d)/, "")
    .replace(/[+-]\d{2}$/, "$&:00");
  const at = Date.parse(ZONED.test(iso) ? iso : `${iso}Z`);
  return Number.isNaN(at) || !isDay(iso.slice(0, 10)) ? undefined : Math.floor(at);
}
