/** Reads the access logs of CloudFront (standard logs), S3 and Application Load Balancers. Field orders are those of AWS' own pages. */
import type { EpochMs } from "../../model/time.ts";
import { isDay } from "../../model/zone.ts";
import { logTimes, present, quoted, requestLine } from "./accesslog.ts";
import { takeRequest } from "./request.ts";
import { type ChunkParser, eachLine, type ImportOptions } from "./row.ts";

/** Begins the line that says the order of the fields. */
export const FIELDS = "#Fields:";
/** The order of the fields when no `#Fields` line says another: that of standard logs. */
const CLOUDFRONT_FIELDS =
  "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query".split(
    " ",
  );

/** `fields` is the text after `#Fields:`, found at the head of the file. */
export function cloudfrontParser(options: ImportOptions, fields: string | undefined): ChunkParser {
  let order = fieldIndexes(fields?.trim().split(/\s+/) ?? CLOUDFRONT_FIELDS);
  return (chunk, sink) => {
    eachLine(chunk, (line, number) => {
      if (line.startsWith("#")) {
        // Files that were joined bring their heads along.
        if (line.startsWith(FIELDS)) order = fieldIndexes(line.slice(FIELDS.length).trim().split(/\s+/));
        return;
      }
      const cells = line.split("\t");
      const cell = (name: string): string => present(cells[order.get(name) ?? -1]);
      const at = Date.parse(`${cell("date")}T${cell("time")}Z`);
      if (Number.isNaN(at) || !isDay(cell("date")))
        return sink.bad(number, "date, time: not YYYY-MM-DD and HH:MM:SS");
      const status = Number(cell("sc-status"));
      const method = cell("cs-method");
      const path = cell("cs-uri-stem");
      const ip = cell("c-ip");
      // 000: the viewer went away before there was an answer.
      if (!/^\d{3}$/.test(cell("sc-status")) || method === "" || path === "" || ip === "")
        return sink.bad(number, "c-ip, cs-method, cs-uri-stem, sc-status: one is missing");
      const query = cell("cs-uri-query");
      takeRequest(
        number,
        {
          at,
          ip,
          method,
          // CloudFront encodes `%` again where it logs; only the fields that browsers had encoded carry it twice.
          target: onceEncoded(path) + (query === "" ? "" : `?${onceEncoded(query)}`),
          host: cell("x-host-header") || cell("cs(Host)"),
          status,
          referrer: onceEncoded(cell("cs(Referer)")),
          agent: plain(plain(cells[order.get("cs(User-Agent)") ?? -1] ?? "")),
        },
        options,
        sink,
      );
    });
  };
}

const fieldIndexes = (names: readonly string[]): Map<string, number> =>
  new Map(names.map((name, index) => [name, index]));

/** `%2520` is what was `%20`. */
const onceEncoded = (text: string): string => text.replaceAll("%25", "%");

/** Text as the browser sent it; what does not decode stays as it is. */
function plain(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * `owner bucket [time] address requester id operation key "request" status ...` (S3 server access logs). The browser's
 * request is in the quotes; operations of S3 itself (lifecycle, batch) have none.
 */
export function s3Parser(options: ImportOptions): ChunkParser {
  const timeOf = logTimes();
  return (chunk, sink) => {
    eachLine(chunk, (line, number) => {
      const open = line.indexOf(" [");
      const close = open < 0 ? -1 : line.indexOf("] ", open);
      const at = close < 0 ? undefined : timeOf(line.slice(open + 2, close));
      if (at === undefined) return sink.bad(number, "time: not [day/month/year:hour:minute:second zone]");
      // address requester id operation key "request" status error sent size total turnaround "referrer" "agent"
      // version host-id signature cipher authentication host-header
      const cells = cellsOf(line, close + 2);
      const [ip = "", , , , , request = "", status = ""] = cells;
      if (request === "-") return sink.skip("bookkeeping");
      const asked = requestLine(request);
      if (asked === undefined) return sink.bad(number, "request: not METHOD TARGET PROTOCOL");
      if (!/^\d{3}$/.test(status)) return sink.bad(number, "status: not a number of three digits");
      takeRequest(
        number,
        {
          at,
          ip: present(ip),
          ...asked,
          host: present(cells[19]),
          status: Number(status),
          referrer: present(cells[12]),
          agent: cells[13] ?? "",
        },
        options,
        sink,
      );
    });
  };
}

/** `type time elb client:port target:port three-times elb-status ... "request" "agent" ...`. ALB writes no referrer. */
export function albParser(options: ImportOptions): ChunkParser {
  return (chunk, sink) => {
    eachLine(chunk, (line, number) => {
      const cells = cellsOf(line, 0);
      const [, time = "", , client = "", , , , , status = "", , , , request = "", agent = ""] = cells;
      const at: EpochMs = Date.parse(time);
      if (Number.isNaN(at) || !isDay(time.slice(0, 10))) return sink.bad(number, "time: not ISO 8601");
      const asked = requestLine(request);
      if (asked === undefined || asked.target === "-")
        return sink.bad(number, "request: not METHOD TARGET PROTOCOL");
      if (!/^\d{3}$/.test(status)) return sink.bad(number, "elb_status_code: not a number of three digits");
      const ip = client.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
      takeRequest(
        number,
        {
          at: Math.floor(at),
          ip: present(ip),
          method: asked.method,
          target: withoutPort(asked.target),
          host: "",
          status: Number(status),
          referrer: "",
          agent,
        },
        options,
        sink,
      );
    });
  };
}

/** ALB names the listener's port in every URL; `https://example.com:443/` is the page `https://example.com/`. */
const withoutPort = (url: string): string => url.replace(/^(https?:\/\/(?:\[[^\]]*\]|[^/:]*)):\d+/i, "$1");

/** Words of a line, quoted ones as one. */
function cellsOf(line: string, from: number): string[] {
  const cells: string[] = [];
  for (let at = from; at < line.length; ) {
    const text = quoted(line, at);
    if (text) {
      cells.push(text.text);
      at = text.end + 1;
      continue;
    }
    const space = line.indexOf(" ", at);
    const end = space < 0 ? line.length : space;
    cells.push(line.slice(at, end));
    at = end + 1;
  }
  return cells;
}
