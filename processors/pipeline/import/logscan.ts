/**
 * Reads usual lines of an access log byte by byte, without making texts of what many lines say alike. What is not quite
 * usual is left to `accesslog.ts`, which reads every line; both say the same of each, and a test holds them to it.
 */
import { ByteTexts, FIRST_HASH, hashWith } from "./bytetexts.ts";
import { type Asked, askedFor, takeAsked } from "./request.ts";
import type { ImportOptions, RowSink } from "./row.ts";

const SPACE = 32;
const QUOTE = 34;
const COMMA = 44;
const DASH = 45;
const ZERO = 48;
const OPEN = 91;
const BACKSLASH = 92;
const CLOSE = 93;

/** `10/Oct/2000:13:55:36 -0700`, of which lines of one minute share all but the seconds. */
const TIME_LENGTH = 26;
const SECONDS_AT = 18;

/** What the plain reader knows better. */
export interface PlainReading {
  /** Epoch ms of a time as logs write it; undefined for what is none. */
  readonly timeOf: (text: string) => number | undefined;
  /** Method and target of a request's first line; undefined for what is none. */
  readonly requestLine: (text: string) => { readonly method: string; readonly target: string } | undefined;
  /** What a field says; "" for "-". */
  readonly present: (text: string) => string;
}

/** Takes one line, or answers false where it is not usual; then nothing of it has been taken. */
export type LineScanner = (
  bytes: Uint8Array,
  from: number,
  end: number,
  line: number,
  sink: RowSink,
) => boolean;

/** `address - user [time] "METHOD target protocol" status size "referrer" "agent"`, without a backslash before the agent's end. */
export function lineScanner(
  options: ImportOptions,
  { timeOf, requestLine, present }: PlainReading,
): LineScanner {
  const addresses = new ByteTexts<string>((text) => text);
  const agents = new ByteTexts<string>((text) => text);
  const referrers = new ByteTexts<string>(present);
  const requests = new ByteTexts<Asked | undefined>((text) => {
    const asked = requestLine(text);
    return asked && askedFor({ ...asked, host: "" }, options);
  });
  const minuteText = new Uint8Array(TIME_LENGTH);
  let minute = Number.NaN;
  /** Of what `textEnd` has just passed. */
  let hash = FIRST_HASH;

  /** Where the quoted text that begins at `from` ends: its quote; -1 where it does not, or holds a backslash. */
  const textEnd = (bytes: Uint8Array, from: number, end: number): number => {
    hash = FIRST_HASH;
    for (let at = from; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === QUOTE) return at;
      if (byte === BACKSLASH) return -1;
      hash = hashWith(hash, byte);
    }
    return -1;
  };

  const minuteAt = (bytes: Uint8Array, from: number): number => {
    let isKnown = true;
    for (let i = 0; i < TIME_LENGTH && isKnown; i++)
      isKnown = bytes[from + i] === minuteText[i] || i === SECONDS_AT || i === SECONDS_AT + 1;
    if (isKnown) return minute;
    minuteText.set(bytes.subarray(from, from + TIME_LENGTH));
    const at = timeOf(String.fromCharCode(...minuteText));
    minute = at === undefined ? Number.NaN : at - secondsAt(bytes, from + SECONDS_AT) * 1_000;
    return minute;
  };

  return (bytes, from, end, line, sink) => {
    let at = from;
    let addressHash = FIRST_HASH;
    for (; at < end && bytes[at] !== SPACE; at++) {
      const byte = bytes[at]!;
      if (byte === OPEN || byte === CLOSE || byte === COMMA) return false;
      addressHash = hashWith(addressHash, byte);
    }
    const addressEnd = at;
    if (addressEnd === from || bytes[from] === DASH) return false;
    if (bytes[at + 1] !== DASH || bytes[at + 2] !== SPACE || bytes[at + 3] === OPEN) return false;
    for (at += 3; at < end && bytes[at] !== SPACE; at++);
    const timeAt = at + 2;
    at = timeAt + TIME_LENGTH;
    if (bytes[timeAt - 1] !== OPEN || at >= end) return false;
    if (bytes[at] !== CLOSE || bytes[at + 1] !== SPACE || bytes[at + 2] !== QUOTE) return false;
    const time = minuteAt(bytes, timeAt) + secondsAt(bytes, timeAt + SECONDS_AT) * 1_000;
    if (Number.isNaN(time) || secondsAt(bytes, timeAt + SECONDS_AT) > 60) return false;

    const requestEnd = textEnd(bytes, at + 3, end);
    if (requestEnd < 0) return false;
    const asked = requests.of(bytes, at + 3, requestEnd, hash);
    at = requestEnd + 1;
    if (asked === undefined || bytes[at] !== SPACE || bytes[at + 4] !== SPACE) return false;
    const status = digit(bytes[at + 1]!) * 100 + digit(bytes[at + 2]!) * 10 + digit(bytes[at + 3]!);
    if (!(status >= 100)) return false;
    for (at += 5; at < end && bytes[at] !== SPACE; at++);

    if (bytes[at + 1] !== QUOTE) return false;
    const referrerAt = at + 2;
    const referrerEnd = textEnd(bytes, referrerAt, end);
    if (referrerEnd < 0 || bytes[referrerEnd + 1] !== SPACE || bytes[referrerEnd + 2] !== QUOTE) return false;
    const referrer = referrers.of(bytes, referrerAt, referrerEnd, hash);
    const agentEnd = textEnd(bytes, referrerEnd + 3, end);
    if (agentEnd < 0) return false;
    const agent = agents.of(bytes, referrerEnd + 3, agentEnd, hash);
    const ip = addresses.of(bytes, from, addressEnd, addressHash);
    takeAsked(line, { at: time, ip, status, referrer, agent }, asked, options, sink);
    return true;
  };
}

/** NaN for what is no digit. */
const digit = (byte: number): number => (byte >= ZERO && byte <= ZERO + 9 ? byte - ZERO : Number.NaN);
const secondsAt = (bytes: Uint8Array, at: number): number => digit(bytes[at]!) * 10 + digit(bytes[at + 1]!);
