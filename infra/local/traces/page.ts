/** The /traces page: a list of the latest traces and one waterfall per trace, as plain HTML without scripts or inline styles. */
import { readFile } from "node:fs/promises";
import type { Gateway } from "../gateway/gateway.ts";
import { type Handler, jsonResponse } from "../gateway/http.ts";
import { duration, type Extent, extent, factsOf, ordered, type Row, took } from "./shape.ts";
import type { Span, Trace, TraceStore } from "./store.ts";

/** Adds `/traces` with `/traces?id=1-...`, the same as data at `/traces.json`, and `/traces.css`. */
export function addTraceRoutes(gateway: Pick<Gateway, "route">, store: TraceStore): void {
  const isGone = (id: string | null): boolean => id !== null && store.get(id) === undefined;
  const pages: Handler = ({ query }) => ({
    status: isGone(query.get("id")) ? 404 : 200,
    headers: { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store" },
    body: renderTraces(store, query),
  });
  const data: Handler = ({ query }) => {
    const id = query.get("id");
    if (isGone(id)) return jsonResponse(404, { error: "id: no such trace" });
    return jsonResponse(200, id === null ? { traces: store.latest().map(plain) } : plain(store.get(id)!));
  };
  const style: Handler = async () => ({
    status: 200,
    headers: { "Content-Type": "text/css; charset=utf-8" },
    body: await readFile(new URL("traces.css", import.meta.url), "utf8"),
  });
  gateway.route("GET", "/traces", pages);
  gateway.route("GET", "/traces.json", data);
  gateway.route("GET", "/traces.css", style);
}

const plain = (trace: Trace): unknown => ({
  ...trace,
  spans: trace.spans.map((span) => ({ ...span, annotations: Object.fromEntries(span.annotations) })),
});

/** The page as HTML: the list, or the waterfall of `?id=`. Everything that a client can influence is escaped. */
export function renderTraces(store: TraceStore, query: URLSearchParams): string {
  const id = query.get("id");
  if (id === null) return page("Traces", list(store.latest()));
  const trace = store.get(id);
  return trace === undefined ? page("Trace not found", missing(id)) : page("Trace", waterfall(trace));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);

const page = (title: string, body: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)} - Rivulet</title>
<link rel="stylesheet" href="/traces.css">
</head>
<body>
<header><a href="/">Rivulet</a><nav><a href="/traces">Traces</a></nav></header>
<main>
${body}
</main>
</body>
</html>
`;

const missing = (id: string): string => `<h1>Trace not found</h1>
<p>There is no trace <code>${escapeHtml(id.slice(0, 64))}</code> here. Only the newest ones are kept, and only until the next restart.</p>
<p><a href="/traces">Latest traces</a></p>`;

/** Width of a drawing in its own units; the style sheet stretches it to the column. */
const WIDTH = 1000;
/** No bar is thinner than this, or a step of some microseconds could not be seen. */
const MIN_BAR = 3;
/** Spans that the small picture of the list shows: the gateway, the worker and its four steps. */
const MINI_ROWS = 6;

/** A bar as attributes, because the policy forbids style attributes. */
function bar(
  from: number,
  to: number,
  { startMs, totalMs }: Extent,
  kind: string,
  y = 0,
  height = 10,
): string {
  const scale = totalMs === 0 ? 0 : WIDTH / totalMs;
  const width = Math.max(MIN_BAR, (to - from) * scale);
  const x = Math.min(WIDTH - width, (from - startMs) * scale);
  return `<rect class="${kind}" x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${height}" rx="1"/>`;
}

const drawing = (label: string, height: number, content: string): string =>
  `<svg viewBox="0 0 ${WIDTH} ${height}" preserveAspectRatio="none" role="img" aria-label="${escapeHtml(label)}">${content}</svg>`;

function list(traces: readonly Trace[]): string {
  if (traces.length === 0) {
    return `<h1>Traces</h1>
<p>No trace yet. One request per second and a twentieth of the rest are traced: open a page that carries the snippet, then reload this one.</p>`;
  }
  const rows = traces.map((trace) => {
    const size = extent(trace.spans);
    const spans = ordered(trace.spans);
    const request = spans.find(({ span }) => span.http !== undefined)?.span;
    const title =
      request?.http === undefined ? spans[0]!.span.name : `${request.http.method} ${request.http.url}`;
    const lines = spans
      .slice(0, MINI_ROWS)
      .map(({ span }, row) =>
        bar(span.startMs, span.endMs ?? span.startMs, size, barClass(span), row * 4, 3),
      );
    const picture = drawing(`Waterfall, number of spans: ${spans.length}`, MINI_ROWS * 4, lines.join(""));
    return `<tr><td><time datetime="${iso(size.startMs)}">${iso(size.startMs).slice(11, 23)}</time></td>
<td><a href="/traces?id=${escapeHtml(trace.id)}">${escapeHtml(title)}</a></td>
<td>${outcome(trace.spans, request)}</td>
<td class="mini">${picture}</td><td class="number">${duration(size.totalMs)}</td></tr>`;
  });
  return `<h1>Traces</h1>
<p>The latest ${traces.length === 1 ? "trace" : `${traces.length} traces`}, newest first. Times are UTC.</p>
<div class="scroll"><table>
<thead><tr><th scope="col">Began</th><th scope="col">Request</th><th scope="col">Outcome</th><th scope="col">Spans</th><th scope="col" class="number">Took</th></tr></thead>
<tbody>
${rows.join("\n")}
</tbody></table></div>`;
}

function waterfall(trace: Trace): string {
  const size = extent(trace.spans);
  const rows = ordered(trace.spans).map((row) => {
    const { span, depth, waitMs } = row;
    const endMs = span.endMs ?? size.startMs + size.totalMs;
    const label = `${span.name}: begins at ${duration(span.startMs - size.startMs)}, takes ${took(span)}`;
    const picture = drawing(
      label,
      10,
      (waitMs > 0 ? bar(span.startMs - waitMs, span.startMs, size, "wait", 4, 2) : "") +
        bar(span.startMs, endMs, size, barClass(span)),
    );
    return `<tr><th scope="row" class="depth${Math.min(depth, 6)}">${escapeHtml(span.name)} ${badge(span)}${details(row)}</th>
<td class="bars">${picture}</td><td class="number">${duration(span.startMs - size.startMs)}</td><td class="number">${took(span)}</td></tr>`;
  });
  const dropped =
    trace.dropped === 0 ? "" : `<p>${trace.dropped} more spans arrived than one trace may hold.</p>`;
  return `<h1>Trace</h1>
<p><code>${escapeHtml(trace.id)}</code> began at <time datetime="${iso(size.startMs)}">${iso(size.startMs).replace("T", " ")}</time> and took ${duration(size.totalMs)}.</p>
<div class="scroll"><table>
<thead><tr><th scope="col">Span</th><th scope="col">Timeline</th><th scope="col" class="number">Begins</th><th scope="col" class="number">Takes</th></tr></thead>
<tbody>
${rows.join("\n")}
</tbody></table></div>
${dropped}<p class="legend">A thin line before a bar is time spent waiting in the stream.</p>`;
}

function details(row: Row): string {
  const pairs = factsOf(row);
  if (pairs.length === 0) return "";
  return `<dl>${pairs.map(([key, value]) => `<div><dt>${escapeHtml(key)}</dt><dd>${escapeHtml(value)}</dd></div>`).join("")}</dl>`;
}

const barClass = (span: Span): string =>
  span.outcome === "ok" ? (span.http === undefined ? "work" : "edge") : "failed";

/** What was answered, and what went wrong on the way, if anything did: a click can fail after its 204. */
function outcome(spans: readonly Span[], request: Span | undefined): string {
  const failed = spans.find((span) => span.outcome !== "ok");
  const status = request?.http === undefined ? (failed ? "" : "ok") : String(request.http.status);
  return `${status} ${failed ? badge(failed) : ""}`.trim();
}

const badge = (span: Span): string =>
  span.outcome === "ok" ? "" : `<span class="badge">${span.outcome}</span>`;

/** Dates outside JavaScript's range cannot come in: the store has checked them. */
const iso = (ms: number): string => new Date(ms).toISOString();
