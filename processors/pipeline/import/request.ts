/** The rule by which requests in an access log become page views. Knows no log format. */
import { PAGEVIEW } from "../../model/event.ts";
import type { EpochMs } from "../../model/time.ts";
import type { ImportKind } from "../decode/imported.ts";
import type { ImportOptions, RowSink } from "./row.ts";

/** One request as a log tells it; "" where it does not say. */
export interface LogRequest {
  readonly at: EpochMs;
  readonly ip: string;
  readonly method: string;
  /** Path with its query string, or an absolute URL. */
  readonly target: string;
  readonly host: string;
  readonly status: number;
  readonly referrer: string;
  readonly agent: string;
}

/** What a page loads besides itself. Documents (html, pdf, txt, xml, json, zip) are none: somebody asked for them. */
export const ASSET_EXTENSIONS: ReadonlySet<string> = new Set(
  (
    "css js mjs map wasm webmanifest " +
    "png apng jpg jpeg jfif gif webp avif jxl svg ico cur bmp tif tiff heic " +
    "woff woff2 ttf otf eot " +
    "mp3 m4a aac ogg oga opus wav flac weba mp4 m4v webm ogv mov avi mkv ts m3u8 vtt swf"
  ).split(" "),
);

/** Whether the last part of the path ends like a file that pages load. */
export function isAsset(target: string): boolean {
  const query = target.search(/[?#;]/);
  const path = query < 0 ? target : target.slice(0, query);
  const dot = path.lastIndexOf(".");
  return dot > path.lastIndexOf("/") && ASSET_EXTENSIONS.has(path.slice(dot + 1).toLowerCase());
}

/** What a request asks for, which many lines of a log say alike. */
export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly isAsset: boolean;
}

/** Hands the request on as a page view with its status (and with `all` its method) as properties, or says why it is none. */
export const takeRequest = (line: number, request: LogRequest, options: ImportOptions, sink: RowSink): void =>
  takeAsked(line, request, askedFor(request, options), options, sink);

export const askedFor = (
  { method, target, host }: Pick<LogRequest, "method" | "target" | "host">,
  options: ImportOptions,
): Asked => ({
  method,
  url: /^https?:\/\//i.test(target) ? target : urlOf(host || options.hostname, target),
  isAsset: isAsset(target),
});

/** The same for a request whose first line is known. */
export function takeAsked(
  line: number,
  { at, ip, status, referrer, agent }: Omit<LogRequest, "method" | "target" | "host">,
  { method, url, isAsset }: Asked,
  { all }: ImportOptions,
  sink: RowSink,
): void {
  if (all || (method === "GET" && isGood(status) && !isAsset))
    sink.row(line, { at, ip, agent, url, referrer, kind: kindOf(status, all ? method : "") });
  else if (method !== "GET") sink.skip("method");
  else sink.skip(isGood(status) ? "asset" : "status");
}

const isGood = (status: number): boolean => (status >= 200 && status < 300) || status === 304;

/** Different targets whose URLs are remembered: a log names the same pages over and over, and each URL is looked up thrice. */
const MAX_URLS = 20_000;
let urlsHost = "";
const urls = new Map<string, string>();

function urlOf(host: string, target: string): string {
  if (host !== urlsHost || urls.size >= MAX_URLS) {
    urls.clear();
    urlsHost = host;
  }
  let url = urls.get(target);
  if (url === undefined) {
    url = `https://${host}${target.startsWith("/") ? "" : "/"}${target}`;
    // A part of the URL, because the target is a part of the whole chunk, which would stay in memory with it.
    urls.set(url.slice(url.length - target.length), url);
  }
  return url;
}

/** By method, and by status. */
const kinds = new Map<string, Map<number, ImportKind>>();
/** A log may claim any method; what nobody uses must not pile up. */
const MAX_METHODS = 50;

/** One object for each status and method: records write what events share once. */
function kindOf(status: number, method: string): ImportKind {
  const known = kinds.get(method) ?? new Map<number, ImportKind>();
  if (known.size === 0 && kinds.size < MAX_METHODS) kinds.set(method, known);
  let kind = known.get(status);
  if (!kind) {
    kind = { n: PAGEVIEW, p: { status: String(status), ...(method === "" ? {} : { method }) } };
    known.set(status, kind);
  }
  return kind;
}
