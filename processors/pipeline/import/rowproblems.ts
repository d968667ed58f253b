/** Why a row of a file cannot be counted: each answers a reject whose message names the field, or undefined. */
import { LIMITS, MAX_SKEW_MS, type Reject, WEB_VITALS } from "../../model/event.ts";
import type { EpochMs } from "../../model/time.ts";
import { identifier, isReject, referrerText } from "../decode/checks.ts";
import { decodeExtra, decodeKind, EARLIEST_MS, type ImportKind } from "../decode/imported.ts";
import { pageUrl } from "../decode/url.ts";
import type { ImportRow } from "./row.ts";

/**
 * Of what an event is, and of all else that a row says of it: with the longest URL that is read, one event fits a record
 * though JSON writes six bytes for a character.
 */
const MAX_ROW_CHARS = 60_000;
const TOO_LONG: Reject = { reason: "too_large", message: `row: over ${MAX_ROW_CHARS} characters` };

export const timeProblem = (at: EpochMs, now: EpochMs): Reject | undefined => {
  if (!(at >= EARLIEST_MS))
    return { reason: "malformed", message: "time: before 2001-09-09, which windows cannot name" };
  return at > now + MAX_SKEW_MS ? { reason: "from_future", message: "time: still to come" } : undefined;
};

export const lengthProblem = (row: ImportRow): Reject | undefined =>
  charsOf(row) > MAX_ROW_CHARS ? TOO_LONG : undefined;

export function urlProblem(url: string): Reject | undefined {
  const page = pageUrl(url, "url");
  return isReject(page) ? page : undefined;
}

export function kindProblem(kind: ImportKind): Reject | undefined {
  if (lengthOf(kind) > MAX_ROW_CHARS) return TOO_LONG;
  const decoded = decodeKind(kind, 0);
  return isReject(decoded) ? renamed(decoded) : undefined;
}

export function referrerProblem(referrer: string): Reject | undefined {
  if (typeof referrer === "string" && referrer.length <= LIMITS.urlChars) return undefined;
  const cut = referrerText(referrer, "referrer");
  return isReject(cut) ? cut : undefined;
}

export function extraProblem({ kind, extra }: ImportRow): Reject | undefined {
  // Elsewhere the name of an ordinary event; here of a report, which counts its measurements and nothing else.
  if (kind.n === WEB_VITALS && extra?.m === undefined)
    return { reason: "invalid_name", message: `name: ${WEB_VITALS} without measurements is no event` };
  const more = extra && decodeExtra(extra, kind.n, "event");
  return isReject(more) ? more : undefined;
}

/** What a row says besides its URL and what the event is; whoever sent it is checked apart. */
const charsOf = ({ agent, referrer, country, language, width, extra }: ImportRow): number =>
  lengthOf(agent) +
  lengthOf(referrer) +
  lengthOf(country) +
  lengthOf(language) +
  lengthOf(width) +
  lengthOf(extra);

/** Files of our own batches may hold anything anywhere, also what is nested more deeply than the stack. */
function lengthOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  try {
    return typeof value === "object" && value !== null ? JSON.stringify(value).length : 0;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Of what all rows of a sender share. */
export function senderProblem({ ip, visitor }: ImportRow): Reject | undefined {
  const who = identifier(visitor, "visitor", LIMITS.idChars);
  if (isReject(who)) return who;
  const address = identifier(ip, "ip", 100);
  return isReject(address) ? address : undefined;
}

/** Checks speak of `kinds[0].p`; the file's owner knows it as the event. */
const renamed = ({ reason, message }: Reject): Reject => ({
  reason,
  message: message.replace("kinds[0]", "event"),
});
