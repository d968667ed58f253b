/** An HTTP server with limits on time and size, which closes in order. Knows no routes. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { MAX_BODY_BYTES } from "../../mapping.ts";
import { declaresTooMuch } from "./body.ts";

/** Not imported: that would load all that `node:http` could hand out, WebSocket and fetch too, 60 ms and 15 MB of them. */
const { createServer } = process.getBuiltinModule("node:http");

/** As API Gateway's limit of 10,240 bytes, rounded up to what Node counts differently. */
const MAX_HEADER_BYTES = 16 * 1024;

export interface Limits {
  /** For a whole request, headers and body, to arrive. Default 30 s. */
  readonly requestTimeoutMs?: number;
  /** Without a byte either way before a connection is cut: of an answer that nobody reads on. Default 2 min. */
  readonly idleMs?: number;
  /** For requests in flight when closing. Default 10 s. */
  readonly drainMs?: number;
}

export interface HttpServer {
  /** Port 0 takes a free one. Rejects with the system's error, EADDRINUSE among them. */
  listen(port: number, host: string): Promise<{ readonly host: string; readonly port: number }>;
  /** Takes no more connections and resolves when the requests in flight are answered, or cut after `drainMs`. */
  close(): Promise<void>;
}

/** Calls `accept` with each request. */
export function httpServer(
  { requestTimeoutMs = 30_000, idleMs = 120_000, drainMs = 10_000 }: Limits,
  accept: (request: IncomingMessage, response: ServerResponse) => void,
): HttpServer {
  const server: Server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: Math.min(10_000, requestTimeoutMs),
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(5_000, requestTimeoutMs),
    keepAliveTimeout: 65_000,
  });
  // Longer than any answer takes to be found.
  server.setTimeout(idleMs);
  server.on("request", accept);
  const connections = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  // Whoever asks first is told so before the body travels.
  server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    if (!declaresTooMuch(request, MAX_BODY_BYTES)) response.writeContinue();
    accept(request, response);
  });
  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, host, () => {
          server.off("error", reject);
          const address = server.address() as AddressInfo;
          resolve({ host: address.address, port: address.port });
        });
      }),
    close: () =>
      new Promise((resolve) => {
        const cut = setTimeout(() => server.closeAllConnections(), drainMs);
        server.close(() => {
          clearTimeout(cut);
          resolve();
        });
        server.closeIdleConnections();
        // Browsers open connections ahead of need, and to Node one without a byte is waiting for its first request.
        for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
      }),
  };
}
