/** A gateway on a free port with a recording stream behind it, and a client that can also send what fetch refuses to. */
import { connect } from "node:net";
import { type ApiOptions, apiDocument, ingestMappings } from "../../../infra/api.ts";
import { createGateway, type Gateway, type GatewayOptions } from "../../../infra/local/gateway/gateway.ts";
import type { Handler, HttpRequest } from "../../../infra/local/gateway/http.ts";
import type { PutRecord } from "../../../infra/local/gateway/ingest.ts";
import type { Trace } from "../../../infra/local/gateway/trace.ts";
import type { RejectReason } from "../../../processors/model/event.ts";

export const NOW = 1_763_800_000_000;

export const options: ApiOptions = {
  partition: "aws",
  region: "eu-central-1",
  streamName: "clicks",
  ingestRoleArn: "arn:aws:iam::123456789012:role/put",
  queryFunctionArn: "arn:aws:lambda:eu-central-1:123456789012:function:query",
  clientAddress: { from: "connection" },
  believeSenders: false,
};

export const batch = { s: "example.com", b: "b1", c: { u: "https://example.com/" }, e: [{ n: "pageview" }] };

export interface Running {
  readonly gateway: Gateway;
  readonly url: string;
  readonly port: number;
  readonly records: { partitionKey: string; data: Uint8Array }[];
  readonly rejects: RejectReason[];
  readonly log: string[];
  readonly asked: HttpRequest[];
  /** The envelope of the record that was put last. */
  last(): Record<string, string | number>;
  /** Posts a batch as a browser does. */
  post(body: string | Uint8Array, headers?: Record<string, string>, path?: string): Promise<Response>;
}

const untraced: Trace = () => ({ header: "", end: () => {} });

/** The same answer to all that readers and owners may ask. */
export const everyFunction = (answer: Handler): Record<string, Handler> =>
  Object.fromEntries(
    Object.values(apiDocument(options).paths).flatMap((path) =>
      Object.values(path).map(({ operationId }) => [operationId, answer]),
    ),
  );

/** Starts a gateway; `behind` replaces parts of it. */
export async function startGateway(
  behind: Partial<GatewayOptions> & { beforePut?: PutRecord } = {},
): Promise<Running> {
  const records: Running["records"] = [];
  const rejects: RejectReason[] = [];
  const log: string[] = [];
  const asked: HttpRequest[] = [];
  const answer = (request: HttpRequest) => {
    asked.push(request);
    return { status: 200, headers: { "Content-Type": "application/json" }, body: "{}" };
  };
  const { beforePut, ...rest } = behind;
  const gateway = createGateway({
    document: apiDocument(options),
    ...(rest.document ? {} : { mappings: ingestMappings(options) }),
    clock: { now: () => NOW },
    trace: untraced,
    putRecord: async (record) => {
      await beforePut?.(record);
      records.push(record);
    },
    functions: everyFunction(answer),
    onReject: (reason) => rejects.push(reason),
    log: (line) => log.push(line),
    ...rest,
  });
  const { port } = await gateway.listen(0, "127.0.0.1");
  const url = `http://127.0.0.1:${port}`;
  return {
    gateway,
    url,
    port,
    records,
    rejects,
    log,
    asked,
    last: () => JSON.parse(Buffer.from(records.at(-1)?.data ?? []).toString("utf8")),
    post: (body, headers = {}, path = "/v1/events") =>
      fetch(`${url}${path}`, {
        method: "POST",
        headers: { "content-type": "text/plain;charset=UTF-8", ...headers },
        body: body as string,
      }),
  };
}

/** Sends bytes as they are and resolves with all that came back once the server closed, or after `untilMs`. */
export function raw(port: number, bytes: string | Uint8Array, untilMs = 3_000): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    let text = "";
    const timer = setTimeout(() => socket.destroy(), untilMs);
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}

export const text64 = (value: unknown): string => Buffer.from(String(value), "base64").toString("utf8");
