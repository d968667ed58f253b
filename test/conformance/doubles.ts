/** Local doubles of AWS services, in this process, on free ports of 127.0.0.1; and a wire between a client and a double that can break. */
import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type Server,
} from "node:http";
import { createRequire } from "node:module";
import { buffer } from "node:stream/consumers";
import { httpHandler } from "../../processors/aws.ts";
import { listening } from "../kit/listening.ts";

const require = createRequire(import.meta.url); // both doubles are CommonJS without types

export interface Double {
  readonly endpoint: string;
  close(): Promise<void>;
}

/** DynamoDB without transactions, TTL and streams. */
export const startDynalite = (): Promise<Double> =>
  listen(require("dynalite")({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 }));

/** Kinesis without throttling and on-demand streams. */
export const startKinesalite = (): Promise<Double> =>
  listen(
    require("kinesalite")({ createStreamMs: 0, deleteStreamMs: 0, updateStreamMs: 0, shardLimit: 1_000 }),
  );

async function listen(server: Server): Promise<Double> {
  const { origin: endpoint, close } = await listening(server);
  return { endpoint, close };
}

/** Client settings for a double; it does not check the keys. */
export const localClient = (endpoint: string) => ({
  endpoint,
  region: "us-east-1",
  credentials: { accessKeyId: "local", secretAccessKey: "local" },
  requestHandler: httpHandler(),
});

/** The same as variables, for who makes the client itself. */
export const LOCAL_AWS = {
  AWS_REGION: "us-east-1",
  AWS_ACCESS_KEY_ID: "local",
  AWS_SECRET_ACCESS_KEY: "local",
} as const;

export interface Exchange {
  /** As the request is signed for it: `dynamodb`. */
  readonly service: string;
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** The part of X-Amz-Target behind the dot; empty where the protocol has another place for it. */
  readonly operation: string;
  readonly body: Buffer;
  /** Sends the request on, and says what the service answered. */
  forward(): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
  /** Besides; S3 says there what an object is. */
  readonly headers?: IncomingHttpHeaders;
}

/** What the client gets to see: an answer, or (undefined) a connection that breaks. */
export type Wire = (exchange: Exchange) => Promise<Answer | undefined>;

/** Stands between a client and a double, or one for each service; `wire` decides what becomes of every request. */
export async function startWire(target: string | ((service: string) => string), wire: Wire): Promise<Double> {
  const server = createServer(async (req, res) => {
    const body = await buffer(req);
    const { method = "POST", url: path = "/", headers } = req;
    // The scope of a signature: key/date/region/service/aws4_request.
    const service = /Credential=[^,\s]+\/(\w+)\/aws4_request/.exec(headers.authorization ?? "")?.[1] ?? "";
    const forward = async () => {
      const base = typeof target === "string" ? target : target(service);
      const onward = request(new URL(path, base), { method, headers });
      onward.end(body);
      const [answer] = (await once(onward, "response")) as [IncomingMessage];
      const { "transfer-encoding": _t, connection: _c, ...rest } = answer.headers;
      const type = rest["content-type"] ?? "";
      return { status: answer.statusCode ?? 0, type, body: await buffer(answer), headers: rest };
    };
    const operation = String(headers["x-amz-target"]).split(".")[1] ?? "";
    const seen = await wire({ service, method, path, operation, body, forward });
    if (seen === undefined) req.socket.destroy();
    else {
      const { status, type, body: content, headers: more } = seen;
      // An answer to HEAD tells the length of what it leaves out.
      const length = method === "HEAD" ? more?.["content-length"] : content.length;
      res.writeHead(status, { ...more, "content-type": type, "content-length": length ?? 0 }).end(content);
    }
  });
  return listen(server);
}

/** An error as the services' JSON protocols send it. */
export const awsFailure = (status: number, type: string, message = "") => ({
  status,
  type: "application/x-amz-json-1.1",
  body: Buffer.from(JSON.stringify({ __type: type, message })),
});
