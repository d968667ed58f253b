/** Reads the values of flags. Refuses with words that say what would do. */
import { InvalidArgumentError } from "commander";
import { MAX_LATENESS_MS } from "../../processors/env.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import type { SiteSetting } from "../../processors/model/site.ts";
import { DAY_MS } from "../../processors/model/time.ts";
import { isLabel, MAX_LABEL_CHARS, MAX_SHARE_DAYS } from "../../processors/pipeline/access.ts";
import { isOwnPath, OWN_PATH_RULE } from "../ownpath.ts";
import type { RateLimit } from "./gateway/rate.ts";

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

export function port(text: string): number {
  // Not "", which an unset variable of a script leaves: it would be 0, and a port that nobody knows.
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= 65_535)) throw new InvalidArgumentError("a port is 0 to 65535");
  return value;
}

/** `ID[@ZONE]`; what an id may be is the registry's business. */
export function site(text: string): SiteSetting {
  const [id = "", ...zone] = text.split("@");
  return { id, timeZone: zone.join("@") || "UTC" };
}

/** For a flag that may be given several times. */
export const sites = (text: string, earlier: readonly SiteSetting[]): SiteSetting[] => [
  ...earlier,
  site(text),
];

/** The address of a server, as `--url` names it. Throws `config` for what is none. */
export function serverUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return url;
  throw new ClickstreamError("config", `--url ${text}: not an address such as https://example.com`);
}

/** Where browsers reach a server: an origin, since all of it lies at the root. */
export function origin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/`)
    throw new InvalidArgumentError("an address without a path, such as https://stats.example.com");
  return url.origin;
}

/** A path of a URL, as `/stats/s.js`, that no other station of the server uses. */
export function ownPath(text: string): string {
  if (!isOwnPath(text)) throw new InvalidArgumentError(OWN_PATH_RULE);
  return text;
}

/** Requests a second. */
export function rate(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0) || !Number.isFinite(value))
    throw new InvalidArgumentError("a number of 0 or more");
  return value;
}

export function speed(text: string): number {
  if (text === "max") return Number.POSITIVE_INFINITY;
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("a factor above 0, or max");
  return value;
}

/** In ms. */
export function duration(text: string): number {
  const [, count, unit = "s"] = /^(\d{1,6})([smh])$/.exec(text) ?? [];
  const ms = Number(count) * (UNIT_MS[unit] ?? 0);
  if (!(ms >= 0 && ms <= MAX_LATENESS_MS))
    throw new InvalidArgumentError("a duration such as 90s, 5m or 1h, up to 24h");
  return ms;
}

/** In ms. */
export function days(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= MAX_SHARE_DAYS))
    throw new InvalidArgumentError(`a number of days above 0, at most ${MAX_SHARE_DAYS}`);
  // Of 1.1 days there are a hundred-millionth of a millisecond more.
  return Math.ceil(value * DAY_MS);
}

/** What a key or a share link is called. */
export function label(text: string): string {
  if (!isLabel(text)) throw new InvalidArgumentError(`at most ${MAX_LABEL_CHARS} characters on one line`);
  return text;
}

/** In whole days, infinitely many for ever; a year has 365. What a site may be given is the registry's business. */
export function keptDays(text: string): number {
  if (text === "forever") return Number.POSITIVE_INFINITY;
  const [, count, unit] = /^(\d{1,5})([dy])$/.exec(text) ?? [];
  if (count === undefined) throw new InvalidArgumentError("days such as 90d, years such as 3y, or forever");
  return Number(count) * (unit === "y" ? 365 : 1);
}

/** A page asks a dozen questions at once when it opens, and several people may share an address. */
const BURST_SECONDS = 10;
export const rateLimitOf = (perSecond: number): RateLimit | undefined =>
  perSecond === 0 ? undefined : { perSecond, burst: Math.max(1, perSecond * BURST_SECONDS) };
