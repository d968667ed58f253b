/** A server that speaks the reading API over a small data set that the test changes; nothing else of the product runs. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buildDashboard } from "../../dashboard/build.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import {
  isoLocal,
  minuteBesideHours,
  parseRange,
  type Range,
} from "../../processors/pipeline/query/range.ts";

/** The strictest policy the page promises to live under. */
const POLICY = "default-src 'self'";

export interface Data {
  sites: { site_id: string; time_zone: string }[];
  hasEvents: boolean;
  /** Visitors now; every other number follows from it, so that a test can tell which state it sees. */
  visitors: number;
  /** Rows of each breakdown. */
  rows: number;
  /** Breakdowns come in the opposite ranking. */
  reversed: boolean;
  /** Relative standard error of visitors. */
  error: number;
  revenue: number;
  /** Of the points of a line every second is in another currency, which the total leaves out. */
  hasOtherMoney: boolean;
  /** Late events of the last minutes. */
  late: number;
  reconciled: { until: number; difference: number; windows: number } | undefined;
  latest: {
    at: number;
    name: string;
    page: string;
    source: string;
    country: string;
    device: string;
    browser: string;
  }[];
  /** Goals, funnels and what else is known of the site. */
  about: Record<string, unknown>;
  /** Nothing is known from before, epoch ms. */
  since: number;
  /** Nothing from before is kept any more, epoch ms. */
  keptFrom: number;
  /** How often whatever needs the archive is answered with 202 before its answer comes, by question. */
  unfinished: number;
  /** Answers every query with 400 and this message. */
  refusal: { readonly error: string; readonly code?: string } | undefined;
  /** The server's clock, epoch ms; one that stands still keeps the turn of a minute out of a test. */
  clock: () => number;
}

export interface Fixture {
  readonly url: string;
  readonly data: Data;
  readonly queries: Record<string, unknown>[];
  /** Stops listening and cuts open connections, as a crash would. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  close(): Promise<void>;
}

const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;
const PAGES = [
  "/",
  "/pricing",
  "/docs",
  "/blog/exactly-once",
  "/blog/windows",
  "/about",
  "/signup",
  "/docs/api",
];
const VALUES: Record<string, readonly string[]> = {
  "event:page": PAGES,
  "visit:entry_page": PAGES,
  "visit:exit_page": PAGES,
  "visit:channel": ["Direct", "Organic Search", "Referral", "Organic Social", "Email", "Paid Search"],
  "visit:source": ["(not set)", "Google", "Hacker News", "GitHub", "Bing", "Reddit"],
  "visit:country": ["KR", "US", "DE", "JP", "FR", "GB", "IN", "BR"],
  "visit:device": ["Desktop", "Mobile", "Tablet"],
  "visit:browser": ["Chrome", "Safari", "Firefox", "Edge"],
  "event:goal": ["signup", "purchase", "download"],
  "event:props:seats left": ["1", "2", "3", "4", "5", "6", "7", "8"],
  "event:props:seats": ["1", "2", "3", "4", "5", "6", "7", "8"],
};

/** Every page of a test run is the same one. */
let built: ReturnType<typeof buildDashboard> | undefined;

export async function startFixture(change: Partial<Data> = {}): Promise<Fixture> {
  built ??= buildDashboard();
  const files = await built;
  const data: Data = {
    sites: [{ site_id: "example.com", time_zone: "UTC" }],
    hasEvents: true,
    visitors: 12,
    rows: 8,
    reversed: false,
    error: 0,
    revenue: 0,
    hasOtherMoney: false,
    late: 0,
    reconciled: undefined,
    latest: [],
    about: {},
    since: 0,
    keptFrom: 0,
    unfinished: 0,
    refusal: undefined,
    clock: Date.now,
    ...change,
  };
  const queries: Record<string, unknown>[] = [];
  const asked = new Map<string, number>();
  let server: Server;
  let port = 0;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://fixture");
    const file = files.get(url.pathname);
    const send = (status: number, body: unknown, tag?: string): void => {
      response.writeHead(status, { "content-type": "application/json", ...(tag ? { etag: tag } : {}) });
      response.end(JSON.stringify(body));
    };
    /** Whether the question has to be asked again; then that is answered. */
    const isUnfinished = (question: string): boolean => {
      const times = asked.get(question) ?? 0;
      asked.set(question, times + 1);
      if (times >= data.unfinished) return false;
      response.writeHead(202, { "content-type": "application/json", "retry-after": "1" });
      response.end(JSON.stringify({ progress: { done: times === 0 ? null : 0.4, elapsed_ms: 5_000 } }));
      return true;
    };
    if (file) {
      response.writeHead(200, { "content-type": file.type, "content-security-policy": POLICY });
      response.end(file.body);
    } else if (url.pathname === "/api/v2/sites") send(200, { sites: data.sites });
    else if (url.pathname === "/api/v2/live") {
      const body = liveAnswer(data, url.searchParams.get("site_id") ?? "", data.clock());
      const stable = { ...body, now: 0, complete_until: 0 };
      const tag = `"${createHash("sha1").update(JSON.stringify(stable)).digest("hex")}"`;
      if (request.headers["if-none-match"] === tag) response.writeHead(304, { etag: tag }).end();
      else send(200, body, tag);
    } else if (url.pathname === "/api/v2/site") {
      const about = { ...ABOUT, site_id: data.sites[0]?.site_id, ...data.about };
      if (request.method !== "PUT") return send(200, about);
      const change = JSON.parse(await text(request)) as { version: number };
      if (change.version !== about.version)
        return send(400, { error: "version: somebody else saved meanwhile; read again" });
      data.about = { ...data.about, ...change, version: change.version + 1 };
      send(200, { ...about, ...data.about });
    } else if (url.pathname === "/api/v2/alerts") {
      send(200, { alerts: [] });
    } else if (url.pathname === "/api/v2/shares") {
      send(200, request.method === "POST" ? { ...SHARE, token: "rvs_0123" } : { shares: [SHARE] });
    } else if (url.pathname === "/api/v2/funnel") {
      const question = await text(request);
      const body = JSON.parse(question) as { steps: { page?: string; goal?: string }[] };
      queries.push(body);
      if (!isUnfinished(question)) send(200, funnelAnswer(data, body.steps));
    } else if (url.pathname === "/api/v2/query") {
      const question = await text(request);
      const body = JSON.parse(question) as Query;
      queries.push(body as unknown as Record<string, unknown>);
      const error = rangeRefusal(data, body, data.clock()) ?? metricRefusal(body);
      const refusal = data.refusal ?? (error && { error });
      if (refusal) send(400, refusal);
      else if (!needsArchive(body) || !isUnfinished(question))
        send(200, queryAnswer(data, body, data.clock()));
    } else if (url.pathname === "/api/v2/export.csv") {
      if (isUnfinished(url.search)) return;
      response.writeHead(200, {
        "content-type": "text/csv",
        "content-disposition": 'attachment; filename="pages.csv"',
      });
      response.end("page,visitors\r\n/,720\r\n");
    } else send(404, { error: `no such path: ${url.pathname}` });
  }

  async function listen(): Promise<void> {
    server = createServer((request, response) => void answer(request, response));
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    port = (server.address() as AddressInfo).port;
  }
  async function stop(): Promise<void> {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  await listen();
  return {
    get url() {
      return `http://127.0.0.1:${port}/`;
    },
    data,
    queries,
    goAway: stop,
    comeBack: listen,
    close: async () => {
      if (server.listening) await stop();
    },
  };
}

const ABOUT = {
  version: 1,
  goals: [],
  funnels: [],
  may_write: true,
  has_archive: true,
  properties: ["plan", "seats"],
  rejected: {},
  unknown_sites: [],
  last_request_at: null,
};
const SHARE = { id: "0123456789ab", label: "press", created_at: 0, expires_at: Date.UTC(2030, 0, 1) };

const funnelAnswer = ({ visitors }: Data, steps: readonly { page?: string; goal?: string }[]) => ({
  steps: steps.map(({ page, goal }, i) => ({
    label: page ?? goal,
    visitors: Math.round((visitors * 100) / 2 ** i),
    conversion_rate: 100 / 2 ** i,
    drop_off: i === 0 ? 0 : Math.round((visitors * 100) / 2 ** i),
  })),
  meta: { source: "archive" },
});

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function liveAnswer(data: Data, site: string, now: number) {
  const end = Math.floor(now / MINUTE) * MINUTE;
  return {
    site_id: site,
    now,
    time_zone: data.sites.find(({ site_id }) => site_id === site)?.time_zone ?? "UTC",
    current_visitors: data.hasEvents ? data.visitors : 0,
    has_events: data.hasEvents,
    minutes: Array.from({ length: 30 }, (_, i) => ({
      start: end - (29 - i) * MINUTE,
      visitors: data.hasEvents ? Math.round(data.visitors * (0.55 + 0.4 * Math.sin(i / 3))) : 0,
      pageviews: data.hasEvents ? data.visitors * 2 : 0,
      events: 0,
      provisional: i > 27,
    })),
    latest: data.latest,
    complete_until: now - 1_200,
    lag_ms: 1_200,
    late: data.late,
    ...(data.reconciled ? { reconciled: data.reconciled } : {}),
    // Few enough to be counted exactly, however many the period has.
    error: { visitors: 0 },
  };
}

const zoneOf = ({ sites }: Data, { site_id }: Query): string =>
  sites.find((site) => site.site_id === site_id)?.time_zone ?? "UTC";

const rangeOf = (date_range: Query["date_range"], zone: string, now: number): Range =>
  parseRange(date_range, zone, now, now - 400 * DAY);

/** Why a server that keeps minutes for eight days, and no archive, does not answer for a range. */
function rangeRefusal(data: Data, query: Query, now: number): string | undefined {
  const zone = zoneOf(data, query);
  try {
    const minute = minuteBesideHours(zone, rangeOf(query.date_range, zone, now));
    return minute !== undefined && minute <= now - 8 * DAY ? "date_range: minutes are gone" : undefined;
  } catch (error) {
    if (!(error instanceof ClickstreamError)) throw error;
    return error.message;
  }
}

/** Why nobody answers for a metric: the views of a visit are not those of its events of one name. */
const metricRefusal = ({ metrics, filters = [] }: Query): string | undefined =>
  metrics.includes("views_per_visit") && filters.some(([, name]) => /^event:(goal|props:)/.test(name))
    ? "views_per_visit is not known of single events"
    : undefined;

interface Query {
  site_id: string;
  metrics: string[];
  dimensions?: string[];
  date_range: string | [string, string];
  pagination?: { limit: number; offset?: number };
  filters?: [operator: string, dimension: string, values: string[]][];
}

function queryAnswer(data: Data, question: Query, now: number) {
  const { metrics, dimensions: [dimension] = [], date_range, pagination, filters = [] } = question;
  const zone = zoneOf(data, question);
  const { from, to } = rangeOf(date_range, zone, now);
  const isPast = typeof date_range !== "string";
  const isBefore = isPast && Date.parse(date_range[1]) < data.since;
  const base = isPast ? data.visitors * 0.8 : data.visitors;
  const meta = {
    complete_until: now - 1_200,
    lag_ms: 1_200,
    source: needsArchive({ dimensions: dimension ? [dimension] : [], filters }) ? "archive" : "rollup",
    error: data.error ? { visitors: data.error } : {},
    ...(from < data.keptFrom ? { kept_from: data.keptFrom } : {}),
    ...(data.hasOtherMoney ? { metric_warnings: { total_revenue: { code: "other_currencies" } } } : {}),
  };
  const row = (weight: number) =>
    metrics.map((name) =>
      name === "bounce_rate" ? (isPast ? 30 : 42) : metricOf(name, base * weight, data),
    );
  const query = { date_range: [isoLocal(zone, Math.max(from, data.keptFrom)), isoLocal(zone, to - 1_000)] };
  if (!data.hasEvents || isBefore)
    return { results: dimension ? [] : [{ metrics: row(0), dimensions: [] }], meta, query };
  if (!dimension) return { results: [{ metrics: row(100), dimensions: [] }], meta, query };
  if (dimension.startsWith("time")) {
    return {
      results: timeLabels(dimension, date_range, now).map((label, i) => ({
        metrics: row(6 + 4 * Math.sin(i / 2.6)).map((value, m) =>
          data.hasOtherMoney && metrics[m] === "total_revenue" && i % 2 === 1
            ? { value: 1_000_000, currency: "KRW" }
            : value,
        ),
        dimensions: [label],
      })),
      meta,
      query,
    };
  }
  const values = Array.from({ length: data.rows }, (_, i) => {
    const known = VALUES[dimension] ?? ["Alpha", "Beta", "Gamma", "Delta"];
    return known[i] ?? (dimension === "event:page" ? `/archive/page-${i}` : undefined);
  })
    .filter((value) => value !== undefined)
    .filter((value) => filters.every((filter) => filter[1] !== dimension || passes(filter, value)));
  if (data.reversed) values.reverse();
  const { limit = 10_000, offset = 0 } = pagination ?? {};
  return {
    results: values
      .slice(offset, offset + limit)
      .map((value, i) => ({ metrics: row(60 / (offset + i + 1)), dimensions: [value] })),
    meta: { ...meta, total_rows: values.length },
    query,
  };
}

/** Totals are kept by one dimension at a time, and those of time by all. */
const needsArchive = ({ dimensions = [], filters = [] }: Pick<Query, "dimensions" | "filters">): boolean =>
  new Set([...dimensions.filter((name) => !name.startsWith("time")), ...filters.map(([, name]) => name)])
    .size > 1;

function passes([operator, , values]: NonNullable<Query["filters"]>[number], value: string): boolean {
  if (operator === "contains") return values.some((part) => value.includes(part));
  return values.includes(value) === (operator === "is");
}

const VITALS = { lcp_p75: 2_310, inp_p75: 260, cls_p75: 0.31, fcp_p75: 1_204, ttfb_p75: 640 };

function metricOf(name: string, amount: number, { revenue }: Data): unknown {
  if (name === "views_per_visit") return 2.4;
  if (name === "visit_duration") return 94;
  if (name === "conversion_rate") return 3.4;
  if (name in VITALS) return VITALS[name as keyof typeof VITALS];
  if (name === "total_revenue") return revenue ? { value: revenue * amount, currency: "USD" } : null;
  const factor = { visits: 1.2, pageviews: 2.9, events: 0.3 }[name] ?? 1;
  return Math.round(amount * factor);
}

function timeLabels(dimension: string, range: Query["date_range"], now: number): string[] {
  const step = { "time:minute": MINUTE, "time:hour": 60 * MINUTE, "time:day": DAY }[dimension];
  const today = Math.floor(now / DAY) * DAY;
  const days = Number.parseInt(String(range), 10) || 1;
  const [start, end] =
    typeof range !== "string"
      ? [Date.parse(range[0]), Date.parse(range[1])]
      : range === "realtime"
        ? [now - 30 * MINUTE, now]
        : [today - (days - 1) * DAY, now];
  const size = step ?? 30 * DAY;
  const labels: string[] = [];
  for (let at = Math.floor(start / size) * size; at <= end; at += size) {
    const iso = new Date(at).toISOString();
    labels.push(size >= DAY ? iso.slice(0, 10) : iso.slice(0, 19).replace("T", " "));
  }
  return labels;
}
