/**
 * The local API gateway: serves the routes of the API document as API Gateway would, and further routes beside them.
 * Knows the stream and the functions only as arguments; what a batch means is none of its business.
 */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { ClickstreamError } from "../../../processors/errors.ts";
import type { RejectReason } from "../../../processors/model/event.ts";
import type { Clock } from "../../../processors/model/time.ts";
import { type IngestMapping, MAX_BODY_BYTES } from "../../mapping.ts";
import type { ApiDocument, Operation } from "../../openapi.ts";
import { directoryHandler } from "./assets.ts";
import { type BodyResult, readBody } from "./body.ts";
import { clientAddress, hostAllowed, isLoopback } from "./client.ts";
import { failure, type Log, logFault } from "./failure.ts";
import { type Handler, type HttpRequest, type HttpResponse, jsonResponse, notFoundPage } from "./http.ts";
import { type HttpServer, httpServer, type Limits } from "./httpserver.ts";
import {
  type Ingest,
  type IngestOutcome,
  type IngestRequest,
  ingestOperation,
  type PutRecord,
} from "./ingest.ts";
import { gatewayAnswers } from "./problems.ts";
import { reply } from "./reply.ts";
import { isApiPath, routeTable } from "./routes.ts";
import type { Trace } from "./trace.ts";

export interface GatewayOptions extends Limits {
  readonly document: ApiDocument;
  readonly putRecord: PutRecord;
  /** What the request templates of ingest operations say, by operationId: records of these are made without rendering. */
  readonly mappings?: Readonly<Record<string, IngestMapping>>;
  /** The functions behind the document's aws_proxy operations, by operationId. All must be there. */
  readonly functions: Readonly<Record<string, Handler>>;
  readonly clock: Clock;
  /** Opens each ingest request's trace. */
  readonly trace: Trace;
  /** Called for each batch that is refused at the door, with its reason. */
  readonly onReject?: (reason: RejectReason) => void;
  /** Default: standard error. */
  readonly log?: Log;
  /** Believe the last entry of X-Forwarded-For: set it only behind a proxy of your own. Default false. */
  readonly trustProxy?: boolean;
  /**
   * Further host names, without port, that count as ours. Bound to a loopback address the gateway answers everything but
   * ingest only to requests for this machine or for these, so that a hostile page cannot read a dashboard by pointing its
   * own name here.
   */
  readonly allowedHosts?: readonly string[];
}

export interface RouteOptions {
  /** Answer whatever the Host header says: for what other sites embed, and for health checks. */
  readonly anyHost?: boolean;
  /**
   * Answer to names of this machine only, and to none of `allowedHosts`: for what a proxy should not offer. Nor to what
   * one passed on under such a name: who asks chooses the name, and nginx hands on any where it serves one host only.
   */
  readonly localHost?: boolean;
}

export interface Gateway extends HttpServer {
  /** Adds a route. A path that ends in `/*` takes all below it; the longest match wins, exact before prefix. */
  route(method: "GET" | "POST", path: string, handler: Handler, options?: RouteOptions): void;
  /** Serves a directory at `prefix`, which ends in "/". */
  static(prefix: string, directory: string): void;
}

/** One method of one path. */
type Endpoint =
  | { readonly kind: "ingest"; readonly name: string; readonly run: Ingest }
  | {
      readonly kind: "handler";
      readonly name: string;
      readonly run: Handler;
      /** Names beside those of this machine that it answers to; undefined: all. */
      readonly hosts: ReadonlySet<string> | undefined;
    };

/** Read only, by everybody. */
const NO_QUERY = new URLSearchParams();
/** A target with scheme and host, as some proxies send it, is the same as without (RFC 9112, 3.2.2). */
const originForm = (target: string): string =>
  target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/?]*\/?/i, "/");
const NO_HOSTS: ReadonlySet<string> = new Set();
const OUTAGE_LOG_INTERVAL_MS = 10_000;

/** Builds the gateway; compiles every template and schema, so that a broken document fails here. */
export function createGateway(options: GatewayOptions): Gateway {
  const { document, clock, trace, onReject = () => {}, trustProxy = false } = options;
  const log = options.log ?? ((line: string) => void process.stderr.write(`${line}\n`));
  const problems = gatewayAnswers(document);
  const allowedHosts = new Set(options.allowedHosts ?? []);
  const routes = routeTable<Endpoint>();
  let checkHost = true;
  let closing = false;
  let quietUntil = 0;

  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      routes.add(method.toUpperCase(), path, endpointOf(operation));
    }
  }

  function endpointOf(operation: Operation): Endpoint {
    const { type } = operation["x-amazon-apigateway-integration"];
    const name = operation.operationId;
    if (type === "aws") {
      const run = ingestOperation(operation, document, options.putRecord, options.mappings?.[name]);
      return { kind: "ingest", name, run };
    }
    if (type === "mock") return { kind: "handler", name, run: problems.mock(operation), hosts: undefined };
    const run = options.functions[name];
    if (run === undefined) throw new ClickstreamError("invariant", `no function for operation ${name}`);
    return { kind: "handler", name, run, hosts: allowedHosts };
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = originForm(request.url ?? "/");
    const mark = url.indexOf("?");
    const path = mark < 0 ? url : url.slice(0, mark);
    const method = request.method ?? "GET";
    const { endpoint, allow } = routes.find(method, path);
    const query = mark < 0 ? NO_QUERY : new URLSearchParams(url.slice(mark + 1));
    const id = randomUUID();
    // A link checker's HEAD must not count as a view.
    if (endpoint?.kind === "ingest" && method !== "HEAD") {
      return serveIngest(endpoint, { request, response, path, query, id });
    }
    let result: HttpResponse | undefined;
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    try {
      result =
        endpoint === undefined || endpoint.kind === "ingest"
          ? nothingHere(path, endpoint === undefined ? allow : "GET")
          : await answerHandler(endpoint, request, { path, method, query, signal: gone.signal });
    } catch (error) {
      if (gone.signal.aborted) return;
      result = failure(error, endpoint?.name ?? "route", id, log);
    }
    if (result === undefined) return;
    const onFault = (error: unknown): void => logFault(error, endpoint?.name ?? "route", id, log);
    reply(request, response, result, { closing, onFault });
  }

  interface Incoming {
    readonly request: IncomingMessage;
    readonly response: ServerResponse;
    readonly path: string;
    readonly query: URLSearchParams;
    readonly id: string;
  }

  async function serveIngest(
    endpoint: Extract<Endpoint, { kind: "ingest" }>,
    { request, response, path, query, id }: Incoming,
  ): Promise<void> {
    // Before the body: a slow upload must not make its events look younger than they are.
    const receivedAt = clock.now();
    const method = request.method ?? "POST";
    const headers = request.headers as Record<string, string>;
    const span = trace(headers["x-amzn-trace-id"]);
    const finish = (result: HttpResponse, reason?: RejectReason): void => {
      if (reason !== undefined) onReject(reason);
      reply(request, response, result, {
        closing,
        onFault: (error) => logFault(error, endpoint.name, id, log),
      });
      span.end({ method, path, status: result.status });
    };
    const encoding = headers["content-encoding"];
    if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
      return finish(problems.answer(415, "The body must not be compressed."), "malformed");
    }
    const body = await readBody(request, MAX_BODY_BYTES);
    if (body.text === undefined) {
      if (body.problem === "gone") return span.end({ method, path, status: 499 });
      const { status, message, reason } = bodyProblems[body.problem];
      return finish(problems.answer(status, message), reason);
    }
    headers["x-amzn-trace-id"] = span.header;
    const outcome = await runIngest(endpoint, id, {
      contentType: headers["content-type"],
      body: body.text,
      bytes: body.bytes,
      headers,
      query,
      context: {
        extendedRequestId: id,
        requestId: id,
        requestTimeEpoch: receivedAt,
        httpMethod: method,
        resourcePath: path,
        identity: { sourceIp: clientAddress(request, trustProxy), userAgent: headers["user-agent"] ?? "" },
        responseOverride: { header: {} },
      },
    });
    if ("refused" in outcome) return finish(problems.answer(outcome.refused, outcome.message), "malformed");
    if (outcome.fault !== undefined) logPutFault(outcome.fault, endpoint.name, id);
    finish(outcome.response, outcome.response.status === 413 ? "too_large" : undefined);
  }

  /** A fault in the gateway itself (a template that does not render) is ours: 500, and the sender tries again. */
  async function runIngest(
    { run, name }: Extract<Endpoint, { kind: "ingest" }>,
    id: string,
    request: IngestRequest,
  ): Promise<IngestOutcome> {
    try {
      return await run(request);
    } catch (error) {
      logFault(error, name, id, log);
      return { response: problems.answer(500, "Internal error") };
    }
  }

  /** An outage meets every batch, so it is told now and then; a bug is told each time. */
  function logPutFault(fault: unknown, name: string, id: string): void {
    if (fault instanceof ClickstreamError && fault.code === "unavailable") {
      if (clock.now() < quietUntil) return;
      quietUntil = clock.now() + OUTAGE_LOG_INTERVAL_MS;
    }
    logFault(fault, name, id, log);
  }

  function nothingHere(path: string, allow: string | undefined): HttpResponse {
    if (allow !== undefined) return problems.answer(405, "The method is not allowed here.", { Allow: allow });
    return isApiPath(path) ? problems.answer(404, "There is nothing at this path.") : notFoundPage;
  }

  async function answerHandler(
    endpoint: Extract<Endpoint, { kind: "handler" }>,
    request: IncomingMessage,
    { path, method, query, signal }: Pick<HttpRequest, "path" | "method" | "query" | "signal">,
  ): Promise<HttpResponse | undefined> {
    const isForwarded = endpoint.hosts === NO_HOSTS && request.headers["x-forwarded-for"] !== undefined;
    if (checkHost && endpoint.hosts && (isForwarded || !hostAllowed(request.headers.host, endpoint.hosts))) {
      return problems.answer(
        403,
        "This server does not answer to that name here. Start it with --url, the address that browsers use.",
      );
    }
    let text = "";
    if (method === "POST" || method === "PUT") {
      const body: BodyResult = await readBody(request, MAX_BODY_BYTES);
      if (body.text === undefined) {
        if (body.problem === "gone") return undefined;
        const { status, message } = bodyProblems[body.problem];
        return jsonResponse(status, { error: message });
      }
      text = body.text;
    }
    const headers = request.headers as Record<string, string>;
    return endpoint.run({
      method: method === "HEAD" ? "GET" : method,
      path,
      query,
      headers,
      body: text,
      address: clientAddress(request, trustProxy),
      signal,
    });
  }

  const server = httpServer(options, (request, response) => {
    serve(request, response).catch((error: unknown) => {
      logFault(error, "gateway", "", log);
      response.destroy();
    });
  });

  return {
    route(method, path, run, { anyHost = false, localHost = false } = {}) {
      const hosts = anyHost ? undefined : localHost ? NO_HOSTS : allowedHosts;
      routes.add(method, path, { kind: "handler", name: `${method} ${path}`, run, hosts });
    },
    static(prefix, directory) {
      this.route("GET", `${prefix}*`, directoryHandler(prefix, directory));
      if (prefix === "/") return;
      const home: HttpResponse = { status: 308, headers: { Location: prefix }, body: "" };
      this.route("GET", prefix.slice(0, -1), () => home);
    },
    listen(port, host) {
      checkHost = isLoopback(host);
      return server.listen(port, host);
    },
    close() {
      closing = true;
      return server.close();
    },
  };
}

const bodyProblems = {
  too_large: {
    status: 413,
    message: `The body is larger than ${MAX_BODY_BYTES} bytes.`,
    reason: "too_large",
  },
  not_utf8: { status: 400, message: "body: must be UTF-8", reason: "malformed" },
} as const;
