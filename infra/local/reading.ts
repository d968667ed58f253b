/** The reading half of the API over HTTP: who asks, how often, what. Knows no store and no sockets. */
import { ClickstreamError } from "../../processors/errors.ts";
import { etagOfAnswer } from "../../processors/etag.ts";
import type { Clock } from "../../processors/model/time.ts";
import { refuseRepeated } from "../../processors/parameters.ts";
import { type AccessControl, type Reader, tokenOf } from "../../processors/pipeline/access.ts";
import type { Explorations } from "../../processors/pipeline/explore/explorations.ts";
import { StillRunning } from "../../processors/pipeline/explore/running.ts";
import type { OwnerApi } from "../../processors/pipeline/owner.ts";
import type { QueryApi } from "../../processors/pipeline/query/api.ts";
import type { OwnPaths } from "../ownpath.ts";
import { type Handler, type HttpRequest, type HttpResponse, jsonResponse } from "./gateway/http.ts";
import { networkOf, type RateLimit, TokenBuckets } from "./gateway/rate.ts";

export interface ReadingOptions {
  readonly api: QueryApi;
  readonly owner: OwnerApi;
  /** What pages should name, where the operator chose other paths. */
  readonly ownPaths?: OwnPaths;
  /** Funnels, retention and paths; undefined where no single events are kept. */
  readonly explorations: Explorations | undefined;
  readonly access: AccessControl;
  readonly clock: Clock;
  /** For each address, and for each key; undefined: none. */
  readonly rateLimit: RateLimit | undefined;
}

/** The functions behind the reading operations of the API document, by operationId. */
export function readingFunctions({
  api,
  owner,
  ownPaths: { scriptPath, ingestPath } = {},
  explorations,
  access,
  clock,
  rateLimit,
}: ReadingOptions): Record<string, Handler> {
  const buckets = rateLimit && new TokenBuckets(rateLimit, clock);

  const guarded =
    (answer: (request: HttpRequest, reader: Reader) => Promise<HttpResponse>): Handler =>
    async (request) => {
      // Before the key is looked at, so that trying keys is slow too.
      const wait = buckets?.take(`address ${networkOf(request.address)}`) ?? 0;
      if (wait > 0) return tooMany(wait);
      const reader = await access.reader(tokenOf(request.headers.authorization, request.query.get("share")));
      if (reader.grant?.kind === "key") {
        const more = buckets?.take(`key ${reader.grant.id}`) ?? 0;
        if (more > 0) return tooMany(more);
      }
      refuseRepeated(request.query.keys());
      try {
        return await answer(request, reader);
      } catch (error) {
        if (error instanceof StillRunning) return jsonResponse(202, error.told, { "Retry-After": "1" });
        throw error;
      }
    };

  const explored = (
    ask: (archive: Explorations, reader: Reader, body: unknown) => Promise<object>,
  ): Handler =>
    guarded(async ({ body }, reader) => {
      if (!explorations)
        throw new ClickstreamError(
          "no_archive",
          "site_id: this server keeps no single events, which this needs",
        );
      return jsonResponse(200, await ask(explorations, reader, parseBody(body)));
    });

  return {
    query: guarded(async ({ body, signal }, reader) =>
      jsonResponse(200, await api.query(reader, parseBody(body), signal)),
    ),
    live: guarded(async ({ query }, reader) => {
      const answer = await api.live(reader, query.get("site_id"));
      return jsonResponse(200, answer, { ETag: etagOfAnswer(answer), "Cache-Control": "no-cache" });
    }),
    funnel: explored((archive, reader, body) => archive.funnel(reader, body)),
    retention: explored((archive, reader, body) => archive.retention(reader, body)),
    paths: explored((archive, reader, body) => archive.paths(reader, body)),
    sites: guarded(async (_, reader) => jsonResponse(200, await api.sites(reader))),
    aboutSite: guarded(async ({ query }, reader) =>
      jsonResponse(200, {
        ...(await owner.about(reader, query.get("site_id"))),
        ...(scriptPath && { script_at: scriptPath }),
        ...(ingestPath && { report_to: ingestPath }),
      }),
    ),
    saveSettings: guarded(async (request, reader) =>
      jsonResponse(200, await owner.save(reader, written(request))),
    ),
    alerts: guarded(async ({ query }, reader) =>
      jsonResponse(200, await owner.alerts(reader, query.get("site_id"))),
    ),
    shares: guarded(async ({ query }, reader) =>
      jsonResponse(200, await owner.shares(reader, query.get("site_id"))),
    ),
    addShare: guarded(async (request, reader) =>
      jsonResponse(200, await owner.addShare(reader, written(request))),
    ),
    removeShare: guarded(async (request, reader) => {
      checkWrite(request);
      const { query } = request;
      return jsonResponse(200, await owner.removeShare(reader, query.get("site_id"), query.get("id")));
    }),
    exportCsv: guarded(async ({ query, signal }, reader) => {
      const { disposition, lines } = await api.exportCsv(reader, Object.fromEntries(query), signal);
      return {
        status: 200,
        headers: {
          "Content-Type": "text/csv; charset=utf-8; header=present",
          "Content-Disposition": disposition,
          "Cache-Control": "no-store",
        },
        body: "",
        more: lines,
      };
    }),
  };
}

const tooMany = (waitMs: number): HttpResponse =>
  jsonResponse(
    429,
    { error: "too many requests: wait as long as Retry-After says" },
    { "Retry-After": String(Math.ceil(waitMs / 1000)) },
  );

const written = (request: HttpRequest): unknown => {
  checkWrite(request);
  return parseBody(request.body);
};

/**
 * On one's own machine nothing is asked for, so a page of another site must not write through its visitor's browser. It
 * can send only "simple" requests without asking first, and none of those is application/json:
 * https://fetch.spec.whatwg.org/#cors-safelisted-request-header
 */
function checkWrite({ headers }: HttpRequest): void {
  if (!/^application\/json\b/i.test(headers["content-type"] ?? ""))
    throw new ClickstreamError("bad_request", "content-type: application/json is needed");
}

function parseBody(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new ClickstreamError("bad_request", "body: not JSON");
  }
}
