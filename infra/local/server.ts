/** The HTTP side of a local Rivulet: the gateway with its API, the dashboard, the collector, the demo shop and the pages for operators. */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { buildCollector } from "../../collector/build.ts";
import { buildDashboard } from "../../dashboard/build.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import type { Clock } from "../../processors/model/time.ts";
import type { QueryEngine } from "../../processors/pipeline/query/engine.ts";
import type { Reconciler } from "../../processors/pipeline/reconcile.ts";
import type { Stream } from "../../processors/streams/stream.ts";
import { apiDocument } from "../api.ts";
import type { Consumer } from "./consumer.ts";
import { assetHandler } from "./gateway/assets.ts";
import { createGateway, type Gateway } from "./gateway/gateway.ts";
import { type Handler, type HttpResponse, jsonResponse, matchesEtag } from "./gateway/http.ts";
import { renderMetrics } from "./metrics.ts";
import { addTraceRoutes } from "./traces/page.ts";
import type { LocalTracing } from "./traces/tracing.ts";

export interface ServerOptions {
  readonly stream: Stream;
  readonly consumer: Consumer;
  readonly reconciler: Reconciler;
  readonly engine: QueryEngine;
  readonly clock: Clock;
  readonly tracing: LocalTracing;
  /** Serve /metrics: only where nobody but this machine can ask. */
  readonly isPrivate: boolean;
  readonly trustProxy: boolean;
  readonly allowedHosts: readonly string[];
  readonly log: (line: string) => void;
}

const DEMO = fileURLToPath(new URL("../../dashboard/demo", import.meta.url));

export function createServer(options: ServerOptions): Gateway {
  const { stream, consumer, reconciler, engine, clock, tracing } = options;
  const refused: Record<string, number> = {};
  const gateway = createGateway({
    document: apiDocument({
      partition: "aws",
      region: "local",
      streamName: "events",
      ingestRoleArn: "local",
      queryFunctionArn: "local",
      clientAddress: { from: "connection" },
    }),
    async putRecord(record) {
      await stream.put(record);
      consumer.wake();
    },
    functions: {
      query: async ({ body }) => jsonResponse(200, await engine.query(parseBody(body))),
      live: async ({ query, headers }) => live(engine, query, headers["if-none-match"]),
      sites: async () => jsonResponse(200, await engine.sites()),
    },
    clock,
    trace: tracing.edge,
    onReject: (reason) => {
      refused[reason] = (refused[reason] ?? 0) + 1;
    },
    log: options.log,
    trustProxy: options.trustProxy,
    allowedHosts: options.allowedHosts,
  });
  gateway.route(
    "GET",
    "/healthz",
    () => ({ status: 200, headers: { "Content-Type": "text/plain" }, body: "ok\n" }),
    { anyHost: true },
  );
  if (options.isPrivate) {
    gateway.route("GET", "/metrics", async () => ({
      status: 200,
      headers: { "Content-Type": "text/plain; version=0.0.4" },
      body: renderMetrics({
        counters: await consumer.counters(),
        commits: await consumer.commits(),
        refused,
        reconciled: reconciler.totals(),
        lagMs: consumer.lagMs(),
        residentBytes: process.memoryUsage.rss(),
      }),
    }));
  }
  addAssets(gateway);
  addTraceRoutes(gateway, tracing.store);
  return gateway;
}

function parseBody(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new ClickstreamError("bad_request", "body: not JSON");
  }
}

/** The live answer with an ETag over what a viewer would see change; the time of asking is not part of it. */
async function live(
  engine: QueryEngine,
  query: URLSearchParams,
  ifNoneMatch: string | undefined,
): Promise<HttpResponse> {
  const site = query.get("site_id");
  if (site === null) throw new ClickstreamError("bad_request", "site_id: required");
  const answer = await engine.live(site);
  const { now: _, ...visible } = answer;
  const etag = `"${createHash("sha256").update(JSON.stringify(visible)).digest("base64url").slice(0, 22)}"`;
  if (matchesEtag(ifNoneMatch, etag))
    return { status: 304, headers: { ETag: etag, "Cache-Control": "no-cache" }, body: "" };
  return jsonResponse(200, answer, { ETag: etag, "Cache-Control": "no-cache" });
}

/** Bundles on first request, because most starts are restarts and nobody waits for a page then. */
function addAssets(gateway: Gateway): void {
  let collector: Promise<Handler> | undefined;
  gateway.route(
    "GET",
    "/c.js",
    async (request) => {
      collector ??= buildCollector().then(({ code }) =>
        assetHandler("c.js", code, { maxAgeSeconds: 3600, anyOrigin: true }),
      );
      return (await collector)(request);
    },
    { anyHost: true },
  );
  let dashboard: Promise<Map<string, Handler>> | undefined;
  const files = async (): Promise<Map<string, Handler>> => {
    dashboard ??= buildDashboard().then(
      (built) =>
        new Map(
          [...built].map(([path, { body }]) => [
            path,
            assetHandler(path === "/" ? "index.html" : path, body),
          ]),
        ),
    );
    return dashboard;
  };
  for (const path of ["/", "/app.js", "/app.css", "/icon.svg"]) {
    gateway.route("GET", path, async (request) => {
      const handler = (await files()).get(path);
      if (!handler) throw new ClickstreamError("invariant", `the dashboard has no ${path}`);
      return handler(request);
    });
  }
  gateway.static("/demo/", DEMO);
}
