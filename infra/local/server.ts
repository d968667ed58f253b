/** The HTTP side of a local Rivulet: the gateway with its API, the dashboard, the collector, the demo shop and the pages for operators. */
import { fileURLToPath } from "node:url";
import { dashboardFiles, EMBED_PATH } from "../../dashboard/build.ts";
import type { Clock } from "../../processors/model/time.ts";
import type { AccessControl, GrantDeps } from "../../processors/pipeline/access.ts";
import type { Explorations } from "../../processors/pipeline/explore/explorations.ts";
import { OwnerApi } from "../../processors/pipeline/owner.ts";
import { QueryApi } from "../../processors/pipeline/query/api.ts";
import type { QueryEngine } from "../../processors/pipeline/query/engine.ts";
import type { Reconciler } from "../../processors/pipeline/reconcile.ts";
import type { Stream } from "../../processors/streams/stream.ts";
import { type ApiOptions, apiDocument, ingestMappings } from "../api.ts";
import { DOCUMENT_PATH, publishedDocument } from "../published.ts";
import { addCollector } from "./collector.ts";
import type { Consumer } from "./consumer.ts";
import { assetHandler } from "./gateway/assets.ts";
import { createGateway, type Gateway } from "./gateway/gateway.ts";
import { EMBEDDABLE, type Handler, jsonResponse } from "./gateway/http.ts";
import type { RateLimit } from "./gateway/rate.ts";
import { renderMetrics } from "./metrics.ts";
import { readingFunctions } from "./reading.ts";
import { recentRecords } from "./recent.ts";
import { addTraceRoutes } from "./traces/page.ts";
import type { LocalTracing } from "./traces/tracing.ts";

export interface ServerOptions {
  readonly stream: Stream;
  readonly consumer: Consumer;
  readonly reconciler: Reconciler;
  readonly engine: QueryEngine;
  /** Funnels, retention and paths; undefined where no single events are kept. */
  readonly explorations: Explorations | undefined;
  readonly access: AccessControl;
  /** What share links and settings are kept with. */
  readonly grants: GrantDeps;
  /** Who reads must show a key or a share link. */
  readonly isKeyRequired: boolean;
  readonly rateLimit: RateLimit | undefined;
  readonly clock: Clock;
  readonly tracing: LocalTracing;
  /** Serve /metrics: only where nobody but this machine can ask. */
  readonly isPrivate: boolean;
  readonly trustProxy: boolean;
  /** Where the collector and its reports are offered too, under names of the operator's choice. */
  readonly scriptPath: string | undefined;
  readonly ingestPath: string | undefined;
  readonly allowedHosts: readonly string[];
  readonly log: (line: string) => void;
}

const DEMO = fileURLToPath(new URL("../../dashboard/demo", import.meta.url));

export function createServer(options: ServerOptions): Gateway {
  const { stream, consumer, reconciler, access, clock, tracing } = options;
  const refused: Record<string, number> = {};
  const recent = recentRecords();
  const owner = new OwnerApi({
    ...options.grants,
    recent,
    hasArchive: options.engine.hasArchive,
    rejected: async (site) => (await options.engine.live(site)).rejected,
  });
  const api: ApiOptions = {
    partition: "aws",
    region: "local",
    streamName: "events",
    ingestRoleArn: "local",
    queryFunctionArn: "local",
    clientAddress: { from: "connection" },
    ingestPath: options.ingestPath,
  };
  const document = apiDocument(api);
  const gateway = createGateway({
    document,
    mappings: ingestMappings(api),
    async putRecord(record) {
      await stream.put(record);
      recent.add(record.data, clock.now());
      consumer.wake();
    },
    functions: readingFunctions({
      api: new QueryApi(options.engine),
      owner,
      ownPaths: options,
      explorations: options.explorations,
      access,
      clock,
      rateLimit: options.rateLimit,
    }),
    clock,
    trace: tracing.edge,
    onReject: (reason) => {
      refused[reason] = (refused[reason] ?? 0) + 1;
    },
    log: options.log,
    trustProxy: options.trustProxy,
    allowedHosts: options.allowedHosts,
  });
  const published = jsonResponse(200, publishedDocument(document), { "Cache-Control": "no-cache" });
  gateway.route("GET", DOCUMENT_PATH, () => published);
  gateway.route(
    "GET",
    "/healthz",
    () => ({ status: 200, headers: { "Content-Type": "text/plain" }, body: "ok\n" }),
    { anyHost: true },
  );
  if (options.isPrivate) {
    const metrics: Handler = async () => ({
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
    });
    gateway.route("GET", "/metrics", metrics, { localHost: true });
  }
  addCollector(gateway, options.scriptPath);
  addAssets(gateway);
  // Traces tell of all sites, and a key is for one.
  if (!options.isKeyRequired) addTraceRoutes(gateway, tracing.store);
  return gateway;
}

/** Made on first request, because most starts are restarts and nobody waits for a page then. */
function addAssets(gateway: Gateway): void {
  for (const [path, make] of dashboardFiles()) {
    let serve: Handler | undefined;
    gateway.route("GET", path, async (request) => {
      serve ??= assetHandler(path.endsWith("/") ? "index.html" : path, (await make()).body);
      const page = await serve(request);
      // This path alone may be framed by other sites: see dashboard/build.ts.
      return path === EMBED_PATH ? { ...page, headers: { ...page.headers, ...EMBEDDABLE } } : page;
    });
  }
  gateway.static("/demo/", DEMO);
}
