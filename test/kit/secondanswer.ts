/** The second answer to a question: from the oracle's tallies by plain loops; and what differs from the first. */
import { isDeepStrictEqual } from "node:util";
import { changeOf } from "../../processors/pipeline/query/compare.ts";
import type { MetricValue } from "../../processors/pipeline/query/metrics.ts";
import type { Metric } from "../../processors/pipeline/query/request.ts";
import type { QueryResponse } from "../../processors/pipeline/query/responses.ts";
import { RELATIVE_ERROR } from "../../processors/sketches/ultraloglog.ts";
import { metricOf, newTally, type Tally } from "./oracle.ts";
import { addTally as add } from "./oraclesums.ts";
import { type Asked, bodyOf, type Filter, orderOf, type Subject, type Zone } from "./questions.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Ends a label that comes a second time. */
const AFTER_MOVE = "+";

function passes(filter: Filter, value: string): boolean {
  const [operator, first, list, modifiers] = filter as [
    string,
    unknown,
    string[],
    { case_sensitive?: boolean }?,
  ];
  if (operator === "not") return !passes(first as Filter, value);
  if (operator === "and") return !(first as Filter[]).some((inner) => !passes(inner, value));
  if (operator === "or") return (first as Filter[]).some((inner) => passes(inner, value));
  const same = (text: string): string => (modifiers?.case_sensitive === false ? text.toLowerCase() : text);
  const found = list.some((text) => {
    if (operator.startsWith("is")) return same(text) === same(value);
    if (operator.startsWith("contains")) return same(value).indexOf(same(text)) >= 0;
    // All patterns here are "^" and a text.
    return same(value).startsWith(same(text.slice(1).replaceAll("\\", "")));
  });
  return operator.endsWith("_not") ? !found : found;
}

/** Local time is told by the offset, with a mark where it is that after the move: an hour may come twice. */
function labelsOf({ offset, moves }: Zone): Readonly<Record<string, (at: number) => string>> {
  const isMoved = (at: number): boolean => moves !== undefined && at >= moves.at;
  const shifted = (at: number): number => at + (moves && isMoved(at) ? moves.to : offset);
  const local = (at: number): string => new Date(shifted(at)).toISOString();
  const mark = (at: number): string => (isMoved(at) ? AFTER_MOVE : "");
  const monday = (at: number): number => shifted(at) - ((new Date(shifted(at)).getUTCDay() + 6) % 7) * DAY;
  return {
    "time:minute": (at) => `${local(at).slice(0, 10)} ${local(at).slice(11, 16)}:00${mark(at)}`,
    // Where clocks move by half an hour, an hour begins at that moment.
    "time:hour": (at) => {
      const start = at - (((shifted(at) % HOUR) + HOUR) % HOUR);
      const begins = moves && isMoved(at) ? Math.max(start, moves.at) : start;
      return `${local(begins).slice(0, 10)} ${local(begins).slice(11, 16)}:00${mark(at)}`;
    },
    "time:day": (at) => local(at).slice(0, 10),
    "time:week": (at) => new Date(monday(at)).toISOString().slice(0, 10),
    "time:month": (at) => `${local(at).slice(0, 7)}-01`,
  };
}

/** Rows by `[label, value]`, filtered and merged as asked. */
function rowsOf({ oracle, zone }: Subject, one: Asked, from: number, to: number): Map<string, MetricValue[]> {
  const bucketOf = (one.time && labelsOf(zone)[one.time]) || (() => "");
  const shown = one.dimension ?? one.filtered;
  const question = { from, to, bucketOf, ...(shown ? { dimension: shown } : {}) };
  const tallies = oracle.tally(question);
  const isEntry = one.metrics.some((metric) => metric === "bounce_rate" || metric === "visit_duration");
  const entries =
    shown === "event:page" && isEntry
      ? oracle.tally({ ...question, dimension: "visit:entry_page" })
      : tallies;
  const rows = new Map<string, { own: Tally; entry: Tally }>();
  if (!one.time && !one.dimension) rows.set('["",""]', { own: newTally(), entry: newTally() });
  for (const [key, tally] of tallies) {
    const [label, value] = JSON.parse(key) as [string, string];
    if (!one.filters.every((filter) => passes(filter, value))) continue;
    const at = JSON.stringify([label, one.dimension ? value : ""]);
    const row = rows.get(at) ?? { own: newTally(), entry: newTally() };
    rows.set(at, row);
    add(row.own, tally);
    add(row.entry, entries.get(key) ?? newTally());
  }
  // Asked for shares alone, because it takes as long as the rest.
  const isShare = one.metrics.some((metric) => metric === "percentage" || metric === "conversion_rate");
  const everybody = isShare ? (oracle.tally({ from, to }).get('["",""]')?.visitors.size ?? 0) : 0;
  return new Map(
    [...rows].map(([key, { own, entry }]) => [
      key,
      one.metrics.map((metric) => metricOf(metric, own, entry, everybody) as MetricValue),
    ]),
  );
}

const numeric = (value: MetricValue | undefined): number =>
  value === null || value === undefined
    ? Number.NEGATIVE_INFINITY
    : typeof value === "object"
      ? value.value
      : value;

interface ExpectedRow {
  readonly names: string[];
  readonly metrics: MetricValue[];
  readonly past?: MetricValue[];
}

function expected(subject: Subject, one: Asked): { all: ExpectedRow[]; rows: ExpectedRow[] } {
  const rows = rowsOf(subject, one, one.from, one.to);
  const length = one.to - one.from;
  const past = one.compare ? rowsOf(subject, one, one.from - length, one.to - length) : undefined;
  const label = (one.time && labelsOf(subject.zone)[one.time]) || (() => "");
  const nothing = one.metrics.map((metric) => metricOf(metric, newTally(), newTally(), 0) as MetricValue);
  // Empty buckets have rows when they are compared; the time between labels is the same on both sides.
  const step = { "time:minute": MINUTE, "time:hour": HOUR, "time:day": DAY }[one.time ?? ""] ?? 0;
  const firstOf = (from: number): number =>
    Math.floor((from + subject.zone.offset) / step) * step - subject.zone.offset;
  const counterpart = new Map<string, string>();
  if (past && step > 0) {
    for (let i = 0; firstOf(one.from) + i * step < one.to; i++) {
      const at = firstOf(one.from) + i * step;
      const before = firstOf(one.from - length) + i * step;
      if (before < one.to - length) counterpart.set(label(at), label(before));
      if (!one.dimension && !rows.has(JSON.stringify([label(at), ""])))
        rows.set(JSON.stringify([label(at), ""]), nothing);
    }
  }
  const dimensions = [...(one.time ? [one.time] : []), ...(one.dimension ? [one.dimension] : [])];
  const all = [...rows].map(([key, metrics]) => {
    const [bucket = "", value = ""] = JSON.parse(key) as string[];
    const before = one.time ? counterpart.get(bucket) : "";
    const there = before === undefined ? undefined : past?.get(JSON.stringify([before, value]));
    return {
      names: [...(one.time ? [bucket] : []), ...(one.dimension ? [value] : [])],
      metrics,
      ...(past && before !== undefined ? { past: there ?? nothing } : {}),
    };
  });
  const orders = orderOf(one);
  if (orders.length === 0) {
    if (one.time) orders.push([one.time, "asc"]);
    orders.push([one.metrics[0]!, "desc"]);
  }
  const compare = (a: string | number, b: string | number): number => (a === b ? 0 : a < b ? -1 : 1);
  const { offset, moves } = subject.zone;
  // Of an hour that comes twice the second sorts behind all of the first.
  const instantOf = (name: string): number =>
    Date.parse(`${name.slice(0, 10)}T${name.slice(11, 19) || "00:00:00"}Z`) -
    (name.endsWith(AFTER_MOVE) ? moves!.to : offset);
  all.sort((a, b) => {
    for (const [name, direction] of orders) {
      const metric = one.metrics.indexOf(name as Metric);
      const [mine = "", theirs = ""] = [a, b].map(({ names }) => names[dimensions.indexOf(name)]);
      const order =
        metric >= 0
          ? compare(numeric(a.metrics[metric]), numeric(b.metrics[metric]))
          : name === one.time
            ? instantOf(mine) - instantOf(theirs)
            : compare(mine, theirs);
      if (order !== 0) return direction === "asc" ? order : -order;
    }
    for (const [i, name] of dimensions.entries()) {
      const [mine = "", theirs = ""] = [a.names[i], b.names[i]];
      const order = name === one.time ? instantOf(mine) - instantOf(theirs) : compare(mine, theirs);
      if (order !== 0) return order;
    }
    return 0;
  });
  return { all, rows: all.slice(one.offset, one.offset + one.limit) };
}

const OF_VISITORS: ReadonlySet<Metric> = new Set(["visitors", "percentage", "conversion_rate"]);

/** Words for a tile are not the oracle's business. */
const plain = (value: MetricValue | undefined): unknown =>
  typeof value === "object" && value !== null ? { currency: value.currency, value: value.value } : value;

const unmarked = (names: readonly string[]): string[] =>
  names.map((name) => (/:00\+$/.test(name) ? name.slice(0, -1) : name));

/** Of an hour that comes twice the first answer names the offsets. */
const withoutOffset = (name: string): string =>
  name.replace(/^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[+-]\d\d:\d\d$/, "$1");

/** Estimates may change the order and which rows a page has; each row itself is near: a ratio of two estimates by ten standard errors. */
function farOff(one: Asked, results: QueryResponse["results"], all: readonly ExpectedRow[]): string[] {
  // An hour that comes twice has two rows of one name.
  const named = Map.groupBy(all, ({ names }) => JSON.stringify(unmarked(names)));
  return results.flatMap(({ dimensions, metrics }) => {
    const rows = named.get(JSON.stringify(dimensions)) ?? [];
    const isNear = rows.some((row) =>
      one.metrics.every((metric, i) => {
        const [value, truth] = [metrics[i], row.metrics[i]];
        if (!OF_VISITORS.has(metric)) return isDeepStrictEqual(plain(value), plain(truth));
        return Math.abs(numeric(value) - numeric(truth)) <= 0.2 + 10 * RELATIVE_ERROR * numeric(truth);
      }),
    );
    return isNear ? [] : [`${JSON.stringify([dimensions, metrics])} instead of ${JSON.stringify(rows)}`];
  });
}

const OF_ANYBODY = { grant: undefined, mayRead: () => true, check: () => {}, mayWrite: () => false };

export interface Judged {
  /** What is wrong with the answer; empty when all is right. */
  readonly problems: readonly string[];
  readonly isApproximate: boolean;
  readonly isFiltered: boolean;
  readonly isCompared: boolean;
}

/** Asks, and holds every row, its order and page, its counterpart and change to the second answer. */
export async function judge(subject: Subject, one: Asked): Promise<Judged> {
  const { results: given, meta } = await subject.api.query(OF_ANYBODY, bodyOf(one));
  const results = given.map((row) => ({ ...row, dimensions: row.dimensions.map(withoutOffset) }));
  const { all, rows } = expected(subject, one);
  const problems: string[] = [];
  const hold = (what: string, given: unknown, wanted: unknown): void => {
    if (!isDeepStrictEqual(given, wanted))
      problems.push(`${what}: ${JSON.stringify(given)} instead of ${JSON.stringify(wanted)}`);
  };
  hold("total_rows", meta.total_rows, all.length);
  const isApproximate = Object.values(meta.error).some((error) => error > 0);
  if (isApproximate) problems.push(...farOff(one, results, all));
  else {
    hold(
      "rows",
      results.map(({ dimensions, metrics }) => [dimensions, metrics.map(plain)]),
      rows.map(({ names, metrics }) => [unmarked(names), metrics.map(plain)]),
    );
    for (const [i, { comparison, metrics }] of results.entries()) {
      const past = rows[i]?.past;
      hold(`row ${i}, before`, comparison?.metrics.map(plain), past?.map(plain));
      const change =
        past && one.metrics.map((metric, at) => changeOf(metric, metrics[at] ?? null, past[at] ?? null));
      hold(`row ${i}, change`, comparison?.change, change);
    }
  }
  return {
    problems: problems.length > 0 ? [...problems, JSON.stringify(bodyOf(one))] : [],
    isApproximate,
    isFiltered: results.length > 0 && one.filters.length > 0,
    isCompared: results.some(({ comparison }) => comparison),
  };
}
