/** Writes a response: conditional requests, HEAD, security headers, and the end of connections that must not go on. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { discard } from "./body.ts";
import { type HttpResponse, matchesEtag, secured } from "./http.ts";

/** Answers once; later calls, and answers to a client that has gone, do nothing. `closing`: no further request here. */
export function reply(
  request: IncomingMessage,
  response: ServerResponse,
  result: HttpResponse,
  closing: boolean,
): void {
  if (response.headersSent || response.destroyed) return;
  let { status, body } = result;
  let headers = result.headers ?? {};
  const etag = headers.ETag ?? headers.etag;
  if (status === 200 && etag !== undefined && matchesEtag(request.headers["if-none-match"], etag)) {
    status = 304;
    body = "";
  }
  if (body.length > 0) headers = secured(headers);
  else if (status !== 304 && "Content-Type" in headers) headers = secured(headers);
  const unread = hasBody(request) && !request.complete;
  // Who asked whether to send may now send the next request instead of the body: only a new connection is clear.
  if (closing || (unread && request.headers.expect !== undefined))
    headers = { ...headers, Connection: "close" };
  if (request.method === "HEAD" && status !== 304) {
    headers = { ...headers, "Content-Length": String(Buffer.byteLength(body)) };
    body = "";
  }
  response.writeHead(status, headers);
  response.end(body);
  if (unread) discard(request);
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
