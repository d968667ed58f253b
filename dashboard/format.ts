/** All numbers, times and names as a person reads them, by Intl alone; knows no data source and no DOM. */
import type { MetricValue } from "./answers.ts";
import type { Interval } from "./period.ts";
import { DAY } from "./wallclock.ts";

export interface Formatter {
  /** Whose clock the times are read from: an IANA name. */
  readonly timeZone: string;
  /** A metric's value in its own unit; "–" when there is none. */
  metric(name: string, value: MetricValue | undefined): string;
  /** The same, short enough for an axis. */
  axis(name: string, value: number): string;
  count(value: number): string;
  /** Relative standard error (0.012) as "±1.2%"; "" when exact. */
  error(relative: number | undefined): string;
  /** Relative change as "12%"; sign and arrow are the caller's. */
  change(relative: number): string;
  /** A part of the whole, 0 to 1, as "12%". */
  share(part: number): string;
  lag(ms: number): string;
  /** How long ago, in whole seconds or minutes. */
  age(ms: number): string;
  /** A mean of counts: "3.4". */
  rate(value: number): string;
  /** A duration as web vitals have them: "940 ms", "2.4 s". */
  milliseconds(ms: number): string;
  /** A small ratio: "0.08". */
  decimal(value: number): string;
  clock(ms: number): string;
  minute(ms: number): string;
  /** A chart bucket on its axis and in its read-out; `wall` as in period.ts. */
  tick(wall: number, interval: Interval): string;
  bucket(wall: number, interval: Interval): string;
  /** Two inclusive dates, as short as they can be said: "Jan 1 – 31, 2026"; whole months and years by their names. */
  dates(from: string, to: string): string;
  /** The date of a moment, in the site's zone. */
  day(ms: number): string;
  /** Two times of the site's clock. */
  times(from: string, to: string): string;
  /** Whether a count takes the singular, by the language's own rule. */
  isOne(count: number): boolean;
  country(code: string): string;
  language(tag: string): string;
}

/** The number behind a metric; undefined when there is none, as for an average over nothing. */
export function numberOf(value: MetricValue | undefined): number | undefined {
  if (typeof value === "object" && value !== null) return value.value;
  if (value === null || value === undefined || value === "") return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

/** Undefined for what is no money. */
export const currencyOf = (value: MetricValue | undefined): string | undefined =>
  typeof value === "object" ? value?.currency : undefined;

/** Made when it is first needed: a page has forty of Intl's formats, which take as long to make as all its elements. */
function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

export function formatter(locale: string, timeZone: string): Formatter {
  const number = (options: Intl.NumberFormatOptions) => {
    const made = once(() => new Intl.NumberFormat(locale, options));
    return { format: (value: number) => made().format(value) };
  };
  const count = number({ maximumFractionDigits: 0 });
  const compact = number({ notation: "compact", maximumFractionDigits: 1 });
  const long = number({ notation: "compact", maximumSignificantDigits: 4 });
  const ratio = number({ minimumFractionDigits: 1, maximumFractionDigits: 2 });
  const rate = number({ minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const percent = number({ style: "percent", maximumFractionDigits: 0 });
  const small = number({ minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const fine = number({ style: "percent", maximumFractionDigits: 1 });
  const tenth = number({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const unit = (name: string, digits = 0, unitDisplay: "narrow" | "short" = "narrow") =>
    number({
      style: "unit",
      unit: name,
      unitDisplay,
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
  const units = { hour: unit("hour"), minute: unit("minute"), second: unit("second") };
  const seconds = unit("second", 1);
  const load = { seconds: unit("second", 1, "short"), millis: unit("millisecond", 0, "short") };
  const at = (options: Intl.DateTimeFormatOptions, zone = timeZone) => {
    const made = once(
      () => new Intl.DateTimeFormat(locale, { hourCycle: "h23", timeZone: zone, ...options }),
    );
    return {
      format: (ms: number) => made().format(ms),
      formatRange: (from: number, to: number) => made().formatRange(from, to),
    };
  };
  const clock = at({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const minute = at({ hour: "2-digit", minute: "2-digit" });
  const wall = {
    minute: at({ hour: "2-digit", minute: "2-digit" }, "UTC"),
    hour: at({ hour: "2-digit", minute: "2-digit" }, "UTC"),
    day: at({ month: "short", day: "numeric" }, "UTC"),
    week: at({ month: "short", day: "numeric" }, "UTC"),
    month: at({ month: "short", year: "2-digit" }, "UTC"),
  };
  const whole = {
    minute: at({ month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" }, "UTC"),
    hour: at({ weekday: "short", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" }, "UTC"),
    day: at({ weekday: "short", month: "short", day: "numeric" }, "UTC"),
    week: at({ year: "numeric", month: "short", day: "numeric" }, "UTC"),
    month: at({ month: "long", year: "numeric" }, "UTC"),
  };
  const date = at({ year: "numeric", month: "short", day: "numeric" }, "UTC");
  const weekday = at({ weekday: "short", year: "numeric", month: "short", day: "numeric" }, "UTC");
  const moment = at({ month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" }, "UTC");
  const dayOf = at({ year: "numeric", month: "short", day: "numeric" }, timeZone);
  const year = at({ year: "numeric" }, "UTC");
  const plurals = once(() => new Intl.PluralRules(locale));
  const namesOf = (type: "region" | "language") =>
    once(() => new Intl.DisplayNames(locale, { type, fallback: "code" }));
  const regions = namesOf("region");
  const languages = namesOf("language");

  const span = (total: number): string => {
    const rounded = Math.round(total);
    const parts: string[] = [];
    const hours = Math.floor(rounded / 3600);
    const minutes = Math.floor((rounded % 3600) / 60);
    if (hours > 0) parts.push(units.hour.format(hours));
    if (minutes > 0) parts.push(units.minute.format(minutes));
    if (hours === 0 && (rounded % 60 > 0 || minutes === 0)) parts.push(units.second.format(rounded % 60));
    return parts.join(" ");
  };
  /** Cents matter in a small sum only; from a thousand on they are noise, from a million on so are the rest. */
  const money = (value: number, currency: string | undefined): string => {
    const size = Math.abs(value);
    const digits = size >= 1e6 ? 1 : size >= 1e3 ? 0 : undefined;
    return number({
      notation: size >= 1e6 ? "compact" : "standard",
      ...(currency ? { style: "currency", currency } : {}),
      ...(digits === undefined ? {} : { minimumFractionDigits: digits, maximumFractionDigits: digits }),
    }).format(value);
  };
  const known = (names: Intl.DisplayNames, code: string): string => {
    try {
      return names.of(code) ?? code;
    } catch {
      return code; // Intl throws on a code that is not well-formed; it is still the truth to show.
    }
  };

  return {
    timeZone,
    metric(name, value) {
      const n = numberOf(value);
      if (n === undefined) return "–";
      if (name === "visit_duration") return span(n);
      if (name === "bounce_rate") return percent.format(n / 100);
      if (name === "conversion_rate") return tenth.format(n / 100);
      if (name === "views_per_visit") return ratio.format(n);
      if (name === "total_revenue") return money(n, currencyOf(value));
      return Math.abs(n) >= 1e7 ? long.format(n) : count.format(n);
    },
    axis(name, value) {
      if (name === "visit_duration") return span(value);
      if (name === "bounce_rate") return percent.format(value / 100);
      return compact.format(value);
    },
    count: (value) => count.format(value),
    error: (relative) => (relative ? `±${fine.format(relative)}` : ""),
    share: (part) => percent.format(part),
    change: (relative) => (Math.abs(relative) < 0.1 ? fine : percent).format(Math.abs(relative)),
    age: (ms) => span(ms < 60_000 ? ms / 1000 : 60 * Math.floor(ms / 60_000)),
    rate: (value) => rate.format(value),
    lag: (ms) => (ms < 60_000 ? seconds.format(Math.max(0, ms) / 1000) : span(ms / 1000)),
    milliseconds: (ms) => (Math.round(ms) < 1_000 ? load.millis.format(ms) : load.seconds.format(ms / 1_000)),
    decimal: (value) => small.format(value),
    clock: (ms) => clock.format(ms),
    minute: (ms) => minute.format(ms),
    tick: (ms, interval) => wall[interval].format(ms),
    bucket: (ms, interval) => whole[interval].format(ms),
    dates(from, to) {
      const [first, last] = [Date.parse(`${from}T00:00:00Z`), Date.parse(`${to}T00:00:00Z`)];
      const isMonth = from.endsWith("-01") && from.slice(0, 7) === to.slice(0, 7);
      if (isMonth && new Date(last + DAY).getUTCDate() === 1) return whole.month.format(first);
      if (from.endsWith("-01-01") && to === `${from.slice(0, 4)}-12-31`) return year.format(first);
      return from === to ? weekday.format(first) : date.formatRange(first, last);
    },
    day: (ms) => dayOf.format(ms),
    times: (from, to) => moment.formatRange(Date.parse(`${from}Z`), Date.parse(`${to}Z`)),
    isOne: (value) => plurals().select(value) === "one",
    country: (code) => known(regions(), code),
    language: (tag) => known(languages(), tag),
  };
}
