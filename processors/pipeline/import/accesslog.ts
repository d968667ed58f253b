/** Reads the common and combined log formats of Apache, nginx and others, with or without a virtual host before the address. */
import { type EpochMs, HOUR_MS, MINUTE_MS } from "../../model/time.ts";
import { lineScanner } from "./logscan.ts";
import { takeRequest } from "./request.ts";
import { type ChunkParser, eachLine, type ImportOptions, textChunk } from "./row.ts";

const NEWLINE = 10;
const RETURN = 13;

/** `[host[:port] ]address ident user [time] "request" status size[ "referrer" "agent"]`; what follows is left out. */
export function accessLogParser(options: ImportOptions): ChunkParser {
  const readLine = plainLogParser(options);
  const scan = lineScanner(options, { timeOf: logTimes(), requestLine, present });
  return ({ bytes, firstLine }, sink) => {
    let number = firstLine;
    for (let from = 0; from < bytes.length; number++) {
      const newline = bytes.indexOf(NEWLINE, from);
      const end = newline < 0 ? bytes.length : newline;
      if (!scan(bytes, from, bytes[end - 1] === RETURN ? end - 1 : end, number, sink))
        readLine(textChunk(bytes.subarray(from, end), number), sink);
      from = end + 1;
    }
  };
}

/** The same for every line, usual or not. */
export function plainLogParser(options: ImportOptions): ChunkParser {
  const timeOf = logTimes();
  return (chunk, sink) => {
    eachLine(chunk, (line, number) => {
      const open = line.indexOf(" [");
      const close = open < 0 ? -1 : line.indexOf("] ", open);
      if (close < 0) return sink.bad(number, "time: no [day/month/year:hour:minute:second zone]");
      const at = timeOf(line.slice(open + 2, close));
      if (at === undefined) return sink.bad(number, "time: not day/month/year:hour:minute:second zone");
      const sender = senderOf(line.slice(0, open));
      if (sender === undefined) return sink.bad(number, "address: missing");
      const request = quoted(line, close + 2);
      if (request === undefined) return sink.bad(number, "request: not in quotes");
      const status = Number(line.slice(request.end + 1, request.end + 4));
      if (!(status >= 100 && status <= 999)) return sink.bad(number, "status: not a number of three digits");
      const asked = requestLine(request.text);
      if (asked === undefined) return sink.bad(number, "request: not METHOD TARGET PROTOCOL");
      const size = line.indexOf(" ", request.end + 5);
      const referrer = size < 0 ? undefined : quoted(line, size + 1);
      const agent = referrer && quoted(line, referrer.end + 1);
      if (size >= 0 && line[size + 1] === '"' && agent === undefined)
        return sink.bad(number, "referrer, agent: not in quotes");
      takeRequest(
        number,
        { at, ...sender, ...asked, status, referrer: present(referrer?.text), agent: agent?.text ?? "" },
        options,
        sink,
      );
    });
  };
}

/** Logs write "-" for what is not there. As an agent it stays: every browser names itself, so who does not is a robot. */
export const present = (text: string | undefined): string => (text === undefined || text === "-" ? "" : text);

/** The text between the quote at `from` and its end, unescaped; undefined when there is none. */
export function quoted(
  line: string,
  from: number,
): { readonly text: string; readonly end: number } | undefined {
  if (line.charCodeAt(from) !== 34) return undefined;
  let end = line.indexOf('"', from + 1);
  while (end > 0 && isEscaped(line, end)) end = line.indexOf('"', end + 1);
  if (end < 0) return undefined;
  const raw = line.slice(from + 1, end);
  return { text: raw.includes("\\") ? unescaped(raw) : raw, end: end + 1 };
}

/** An odd number of backslashes stands before it. */
function isEscaped(line: string, at: number): boolean {
  let backslashes = 0;
  while (line.charCodeAt(at - 1 - backslashes) === 92) backslashes++;
  return backslashes % 2 === 1;
}

const utf8 = new TextDecoder();

/** Apache writes \" \\ \n \t and \xHH for bytes that are not printable, nginx \xHH for those and for quotes. */
const unescaped = (raw: string): string =>
  raw.replace(/((?:\\x[0-9A-Fa-f]{2})+)|\\(.)/g, (_, bytes: string | undefined, char: string) =>
    bytes === undefined
      ? ({ n: "\n", t: "\t", r: "\r" }[char] ?? char)
      : utf8.decode(Uint8Array.from(bytes.slice(2).split("\\x"), (hex) => Number.parseInt(hex, 16))),
  );

const ADDRESS = /^\[?(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)\]?,?$/;

/** A host comes before the address where the second word is an address and the first is not. Undefined where no address begins it. */
function senderOf(prefix: string): { readonly ip: string; readonly host: string } | undefined {
  const [first = "", second = ""] = prefix.split(" ", 2);
  if (first === "" || first === "-") return undefined;
  if (ADDRESS.test(second) && !ADDRESS.test(first))
    return { ip: address(second), host: first.replace(/:\d+$/, "") };
  // Some servers write names of addresses. What a collector of logs puts before a line is none: all would be one visitor.
  if (second !== "-" && !ADDRESS.test(first)) return undefined;
  return { ip: address(first), host: "" };
}

/** Without brackets and a comma behind it. */
function address(text: string): string {
  const from = text.startsWith("[") ? 1 : 0;
  let to = text.endsWith(",") ? text.length - 1 : text.length;
  if (to > from && text[to - 1] === "]") to--;
  return text.slice(from, to);
}

/** `GET /path HTTP/1.1`; HTTP/0.9 has no protocol. A target may hold spaces where the server logged it decoded. */
export function requestLine(text: string): { readonly method: string; readonly target: string } | undefined {
  const [, method = "", target = ""] =
    /^([A-Za-z][A-Za-z-]{1,30}) (\S.*?)(?: HTTP\/[\d.]+)?$/.exec(text) ?? [];
  return target === "" ? undefined : { method: method.toUpperCase(), target };
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const TIME = /^(\d{2})\/(\w{3})\/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})$/;

/** Reads `10/Oct/2000:13:55:36 -0700`; lines of one minute share all but the seconds. */
export function logTimes(): (text: string) => EpochMs | undefined {
  let known = "";
  let minute = 0;
  return (text) => {
    const rest = text.slice(0, 18) + text.slice(20);
    if (rest !== known) {
      const match = TIME.exec(text);
      const month = match ? MONTHS.indexOf(match[2]!) : -1;
      if (!match || month < 0) return undefined;
      const [, day, , year, hour, min, , sign, zoneHours, zoneMinutes] = match;
      const zone = Number(zoneHours) * HOUR_MS + Number(zoneMinutes) * MINUTE_MS;
      const local = Date.UTC(Number(year), month, Number(day), Number(hour), Number(min));
      // What no calendar and no clock shows would go over into the next day, hour or month.
      const shown = new Date(local);
      if (shown.getUTCDate() !== Number(day) || shown.getUTCMinutes() !== Number(min)) return undefined;
      minute = sign === "-" ? local + zone : local - zone;
      known = rest;
    }
    const seconds = Number(text.slice(18, 20));
    return seconds <= 60 ? minute + seconds * 1_000 : undefined;
  };
}
