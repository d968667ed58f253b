/** Typed client of the reading API; knows HTTP, nothing of the page. */
import type {
  Alert,
  FunnelAnswer,
  FunnelQuestion,
  FunnelStep,
  LiveAnswer,
  QueryAnswer,
  QueryRequest,
  ShareLink,
  Site,
  SiteAbout,
  SiteSettings,
  WorldMap,
} from "./answers.ts";

/** `away`: no server, or one that cannot answer now; else the server refused and `message` is its own words. */
export class ApiError extends Error {
  readonly away: boolean;
  /** HTTP status; undefined without an answer. */
  readonly status: number | undefined;
  /** How long the server asks to wait, 0 if it does not. */
  readonly waitMs: number;
  /** Where the server names the mistake. */
  readonly code: string | undefined;
  /** Where to sign in, who may not ask without. */
  readonly signIn: string | undefined;
  constructor(
    message: string,
    away: boolean,
    more: Partial<Refused> & { status?: number; waitMs?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause });
    this.away = away;
    this.status = more.status;
    this.waitMs = more.waitMs ?? 0;
    this.code = more.code;
    this.signIn = more.sign_in;
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
      // no-store: with the browser's own cache in between, a 304 would arrive as a 200 and wake the page for nothing.
      cache: "no-store",
      ...init,
      credentials: "same-origin",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError("", true, { cause });
  }
  if (response.ok || response.status === 304) return response;
  const { status } = response;
  const waitMs = retryAfterMs(response);
  const refused = await refusalOf(response);
  throw new ApiError(refused.error, AWAY_STATUS.has(status), { ...refused, status, waitMs });
}

interface Refused {
  readonly error: string;
  readonly code?: string;
  readonly sign_in?: string;
}

async function refusalOf(response: Response): Promise<Refused> {
  const text = await response.text();
  try {
    const body = JSON.parse(text) as Refused | null;
    if (body?.error) return body;
  } catch {
    // Not our server's JSON (a proxy's page, perhaps): the status line is all that can be said.
  }
  return { error: `${response.status} ${response.statusText}`.trim() };
}

/** A body cut off in the middle is an outage like any other. */
async function json<T>(response: Response): Promise<T> {
  try {
    return (await response.json()) as T;
  } catch (cause) {
    throw new ApiError("", true, { cause });
  }
}

/** Told while the archive is read: how much of it is, 0 to 1, or null where that cannot be told. */
export type Progress = (done: number | null) => void;

/** Between two requests for the same answer, unless `Retry-After` says otherwise. */
const AGAIN_MS = 1_000;

/** A server that reads its archive for long says 202 and how far it is; the same request later gets the answer. */
async function finished(
  path: string,
  init: RequestInit,
  signal?: AbortSignal,
  progress?: Progress,
): Promise<Response> {
  for (;;) {
    const response = await request(path, init, signal);
    if (response.status !== 202) return response;
    progress?.((await json<{ progress: { done: number | null } }>(response)).progress.done);
    await new Promise((resolve) => setTimeout(resolve, retryAfterMs(response) || AGAIN_MS));
    signal?.throwIfAborted();
  }
}

/** A server on one's own machine takes changes of this type alone. */
const JSON_TYPE = { "content-type": "application/json" };

const withJson = (method: string, body: object): RequestInit => ({
  method,
  headers: JSON_TYPE,
  body: JSON.stringify(body),
});

const ofSite = (path: string, siteId: string): string =>
  `/api/v2/${path}?site_id=${encodeURIComponent(siteId)}`;

const retryAfterMs = ({ headers }: Response): number => 1_000 * (Number(headers.get("retry-after")) || 0);

/**
 * Asks for a breakdown, a series or totals. Throws ApiError; an aborted `signal` rejects with its own reason.
 * A browser asks six at a time: what has a high priority overtakes what waits.
 */
export async function query(
  body: QueryRequest,
  signal: AbortSignal,
  { priority = "low", progress }: { priority?: "high" | "low"; progress?: Progress } = {},
): Promise<QueryAnswer> {
  const init = { ...withJson("POST", body), priority };
  return json(await finished("/api/v2/query", init, signal, progress));
}

/** A table that the archive has to be read for, and the name that the server gives it. */
export async function csvFile(
  address: string,
  progress: Progress,
): Promise<{ readonly name: string; readonly body: Blob }> {
  const response = await finished(address, {}, undefined, progress);
  const [, name = "rivulet.csv"] =
    /filename="(.+?)"/.exec(response.headers.get("content-disposition") ?? "") ?? [];
  return { name, body: await response.blob() };
}

export async function sites(): Promise<readonly Site[]> {
  return (await json<{ sites: readonly Site[] }>(await request("/api/v2/sites", {}))).sites;
}

/** Remembers the last answer's tag, so that a quiet site costs a 304. Returns undefined when nothing changed. */
export function liveClient(siteId: string): (signal: AbortSignal) => Promise<LiveAnswer | undefined> {
  let tag: string | null = null;
  return async (signal) => {
    const headers: Record<string, string> = tag ? { "if-none-match": tag } : {};
    const response = await request(ofSite("live", siteId), { headers }, signal);
    if (response.status === 304) return undefined;
    const answer = await json<LiveAnswer>(response);
    tag = response.headers.get("etag");
    return answer;
  };
}

/** The address of a query's answer as CSV, all rows of it. */
export function csvAddress({
  site_id,
  date_range,
  metrics,
  dimensions,
  filters,
  order_by,
}: QueryRequest): string {
  const query = new URLSearchParams({
    site_id,
    date_range: typeof date_range === "string" ? date_range : date_range.join(","),
    metrics: metrics.join(","),
  });
  if (dimensions?.length) query.set("dimensions", JSON.stringify(dimensions));
  if (filters?.length) query.set("filters", JSON.stringify(filters));
  if (order_by) query.set("order_by", JSON.stringify(order_by));
  return shared(`/api/v2/export.csv?${query}`);
}

// --- what a site's owner keeps on the server --------------------------------------------------------------------------

/** Several tabs ask at once; an answer this young serves them all. */
const ABOUT_MS = 5_000;
const abouts = new Map<string, { readonly at: number; readonly answer: Promise<SiteAbout> }>();

/** What is known of a site besides its numbers; kept for a few seconds. */
export function aboutSite(siteId: string): Promise<SiteAbout> {
  const known = abouts.get(siteId);
  if (known && performance.now() - known.at < ABOUT_MS) return known.answer;
  const answer = (async () => json<SiteAbout>(await request(ofSite("site", siteId), {})))();
  abouts.set(siteId, { at: performance.now(), answer });
  answer.catch(() => abouts.delete(siteId));
  return answer;
}

/** Makes the next `aboutSite` ask again. */
export function forgetSite(siteId: string): void {
  abouts.delete(siteId);
}

export async function saveSettings(settings: Omit<SiteSettings, "may_write">): Promise<SiteSettings> {
  const saved = await json<SiteSettings>(await request("/api/v2/site", withJson("PUT", settings)));
  forgetSite(settings.site_id);
  return saved;
}

export async function shareLinks(siteId: string): Promise<readonly ShareLink[]> {
  return (await json<{ shares: readonly ShareLink[] }>(await request(ofSite("shares", siteId), {}))).shares;
}

/** The token is told once, here. */
export async function addShareLink(
  siteId: string,
  days: number,
  label: string,
): Promise<ShareLink & { readonly token: string }> {
  const wanted = { site_id: siteId, days, ...(label ? { label } : {}) };
  return json(await request("/api/v2/shares", withJson("POST", wanted)));
}

export async function removeShareLink(siteId: string, id: string): Promise<void> {
  const path = `${ofSite("shares", siteId)}&id=${encodeURIComponent(id)}`;
  await request(path, { method: "DELETE", headers: JSON_TYPE });
}

// --- funnels and the map ----------------------------------------------------------------------------------------------

export async function funnel(
  question: FunnelQuestion,
  steps: readonly FunnelStep[],
  signal: AbortSignal,
  progress: Progress,
): Promise<FunnelAnswer> {
  const init = withJson("POST", { ...question, steps });
  return json(await finished("/api/v2/funnel", init, signal, progress));
}

export async function world(): Promise<WorldMap> {
  return json(await request("/world.json", { cache: "default" }));
}

/** What a site's rules found lately, newest first. */
export async function alerts(site: string): Promise<readonly Alert[]> {
  return (await json<{ alerts: readonly Alert[] }>(await request(ofSite("alerts", site), {}))).alerts;
}
