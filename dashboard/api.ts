/** Typed client of the reading API; knows HTTP and the shapes of the answers, nothing of the page. */

export type MetricValue = number | string | null | { readonly value: number; readonly currency?: string };

export interface QueryRequest {
  readonly site_id: string;
  readonly metrics: readonly string[];
  readonly date_range: string | readonly [string, string];
  readonly dimensions?: readonly string[];
  readonly filters?: readonly Filter[];
  readonly include?: { readonly time_labels?: boolean };
  readonly pagination?: { readonly limit: number; readonly offset: number };
}

export type Filter = readonly [operator: string, dimension: string, values: readonly string[]];

export interface QueryMeta {
  /** Event time, epoch ms, up to which windows are final. */
  readonly complete_until?: number;
  readonly lag_ms?: number;
  /** Relative standard error by metric; absent or 0 means exact. */
  readonly error?: Readonly<Record<string, number>>;
  readonly time_labels?: readonly string[];
  /** Events of the range that came after their minute was final; they are counted. */
  readonly late?: number;
  /** What answered: rollups, or the archive of all events. */
  readonly source?: string;
}

export interface QueryAnswer {
  readonly results: readonly {
    readonly metrics: readonly MetricValue[];
    readonly dimensions: readonly string[];
  }[];
  readonly meta: QueryMeta;
  /** The query as the server understood it; a named range comes back resolved to two ISO times. */
  readonly query?: { readonly date_range?: string | readonly [string, string] };
}

export interface LiveMinute {
  /** Epoch ms of the window's start. */
  readonly start: number;
  readonly visitors: number;
  readonly pageviews: number;
  readonly events: number;
  /** True while late events may still change the window. */
  readonly provisional: boolean;
}

export interface LiveEvent {
  readonly at: number;
  readonly name: string;
  readonly page: string;
  readonly source: string;
  readonly country: string;
  readonly device: string;
  readonly browser: string;
  /** The id of its trace, where it was sampled. */
  readonly trace?: string;
}

export interface LiveAnswer {
  readonly site_id: string;
  readonly now: number;
  readonly time_zone: string;
  readonly current_visitors: number;
  readonly has_events: boolean;
  readonly minutes: readonly LiveMinute[];
  readonly latest: readonly LiveEvent[];
  readonly complete_until: number;
  readonly lag_ms: number;
  /** Events of these minutes that came after their minute was final; they are counted. */
  readonly late?: number;
  /** What was refused in these minutes, by reason; absent where the server does not tell. */
  readonly rejected?: Readonly<Record<string, number>>;
  /** Absent where nothing is recounted. */
  readonly reconciled?: Reconciled;
  readonly error?: Readonly<Record<string, number>>;
}

/** Live numbers against a second count of the same records. */
export interface Reconciled {
  /** Epoch ms. */
  readonly until: number;
  /** Events live minus events recounted; expected 0. */
  readonly difference: number;
  /** Windows in which anything differs; expected 0. */
  readonly windows: number;
}

export interface Site {
  readonly site_id: string;
  readonly time_zone: string;
}

/** `away`: no server, or one that cannot answer now; else the server refused and `message` is its own words. */
export class ApiError extends Error {
  readonly away: boolean;
  /** HTTP status; 0 without an answer. */
  readonly status: number;
  /** How long the server asks to wait, 0 if it does not. */
  readonly waitMs: number;
  constructor(
    message: string,
    away: boolean,
    more: { status?: number; waitMs?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause });
    this.away = away;
    this.status = more.status ?? 0;
    this.waitMs = more.waitMs ?? 0;
  }
}

/** A hung connection must not look like a quiet site: after this the server counts as away. */
const TIMEOUT_MS = 10_000;
/** The statuses of a gateway whose upstream is missing or busy. */
const AWAY_STATUS = new Set([429, 502, 503, 504]);

let shareToken = "";

/** Whoever came by a share link shows its token with every question. `search` is the page's own query. */
export function useShareLink(search: string): void {
  shareToken = new URLSearchParams(search).get("share") ?? "";
}

function shared(path: string): string {
  if (shareToken === "") return path;
  return `${path}${path.includes("?") ? "&" : "?"}share=${encodeURIComponent(shareToken)}`;
}

async function request(path: string, init: RequestInit, signal?: AbortSignal): Promise<Response> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  try {
    response = await fetch(shared(path), {
      ...init,
      // no-store: with the browser's own cache in between, a 304 would arrive as a 200 and wake the page for nothing.
      cache: "no-store",
      credentials: "same-origin",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError("", true, { cause });
  }
  if (response.ok || response.status === 304) return response;
  const { status, headers } = response;
  const waitMs = 1_000 * (Number(headers.get("retry-after")) || 0);
  throw new ApiError(await errorMessage(response), AWAY_STATUS.has(status), { status, waitMs });
}

async function errorMessage(response: Response): Promise<string> {
  const text = await response.text();
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null && "error" in body) return String(body.error);
  } catch {
    // Not our server's JSON (a proxy's page, perhaps): the status line is all that can be said.
  }
  return `${response.status} ${response.statusText}`.trim();
}

/** A body cut off in the middle is an outage like any other. */
async function json<T>(response: Response): Promise<T> {
  try {
    return (await response.json()) as T;
  } catch (cause) {
    throw new ApiError("", true, { cause });
  }
}

/** Asks for a breakdown, a series or totals. Throws ApiError; an aborted `signal` rejects with its own reason. */
export async function query(body: QueryRequest, signal: AbortSignal): Promise<QueryAnswer> {
  const init = {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  };
  return json(await request("/api/v2/query", init, signal));
}

export async function sites(): Promise<readonly Site[]> {
  return (await json<{ sites: readonly Site[] }>(await request("/api/v2/sites", {}))).sites;
}

/** Remembers the last answer's tag, so that a quiet site costs a 304. Returns undefined when nothing changed. */
export function liveClient(siteId: string): (signal: AbortSignal) => Promise<LiveAnswer | undefined> {
  let tag: string | null = null;
  return async (signal) => {
    const headers: Record<string, string> = tag ? { "if-none-match": tag } : {};
    const response = await request(`/api/v2/live?site_id=${encodeURIComponent(siteId)}`, { headers }, signal);
    if (response.status === 304) return undefined;
    const answer = await json<LiveAnswer>(response);
    tag = response.headers.get("etag");
    return answer;
  };
}
