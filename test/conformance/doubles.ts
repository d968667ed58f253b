/** Local doubles of AWS services, in this process, on free ports of 127.0.0.1; and a wire between a client and a double that can break. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { httpHandler } from "../../processors/aws.ts";

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
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Client settings for a double; it does not check the keys. */
export const localClient = (endpoint: string) => ({
  endpoint,
  region: "us-east-1",
  credentials: { accessKeyId: "local", secretAccessKey: "local" },
  requestHandler: httpHandler(),
});

export interface Exchange {
  /** The part of X-Amz-Target behind the dot. */
  readonly operation: string;
  readonly body: Buffer;
  /** Sends the request on, and says what the service answered. */
  forward(): Promise<{ status: number; type: string; body: Buffer }>;
}

/** What the client gets to see: an answer, or (undefined) a connection that breaks. */
export type Wire = (
  exchange: Exchange,
) => Promise<{ status: number; type: string; body: Buffer } | undefined>;

/** Stands between a client and a double; `wire` decides what becomes of every request. */
export async function startWire(target: string, wire: Wire): Promise<Double> {
  const server = createServer(async (req, res) => {
    const body = await buffer(req);
    const forward = async () => {
      const { method = "POST", url, headers } = req;
      const onward = request(new URL(url ?? "/", target), { method, headers });
      onward.end(body);
      const [answer] = (await once(onward, "response")) as [IncomingMessage];
      const type = answer.headers["content-type"] ?? "";
      return { status: answer.statusCode ?? 0, type, body: await buffer(answer) };
    };
    const operation = String(req.headers["x-amz-target"]).split(".")[1] ?? "";
    const seen = await wire({ operation, body, forward });
    if (seen === undefined) req.socket.destroy();
    else res.writeHead(seen.status, { "content-type": seen.type }).end(seen.body);
  });
  return listen(server);
}

/** An error as the services' JSON protocols send it. */
export const awsFailure = (status: number, type: string, message = "") => ({
  status,
  type: "application/x-amz-json-1.1",
  body: Buffer.from(JSON.stringify({ __type: type, message })),
});
