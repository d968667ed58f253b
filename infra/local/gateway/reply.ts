/** Writes a response: conditional requests, HEAD, security headers, and the end of connections that must not go on. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { matchesEtag } from "../../../processors/etag.ts";
import { discard } from "./body.ts";
import { type HttpResponse, secured } from "./http.ts";

export interface ReplyOptions {
  /** No further request on this connection. */
  readonly closing: boolean;
  /** Told of what ends an answer in its middle, where no status can say it any more. */
  readonly onFault: (error: unknown) => void;
}

/** Answers once; later calls, and answers to a client that has gone, do nothing. */
export function reply(
  request: IncomingMessage,
  response: ServerResponse,
  result: HttpResponse,
  { closing, onFault }: ReplyOptions,
): void {
  if (response.headersSent || response.destroyed) return;
  let { status, body } = result;
  let headers = result.headers ?? {};
  const etag = headers.ETag ?? headers.etag;
  if (status === 200 && etag !== undefined && matchesEtag(request.headers["if-none-match"], etag)) {
    status = 304;
    body = "";
  }
  if (body.length > 0 || result.more) headers = secured(headers);
  else if (status !== 304 && "Content-Type" in headers) headers = secured(headers);
  const unread = hasBody(request) && !request.complete;
  // Who asked whether to send may now send the next request instead of the body: only a new connection is clear.
  if (closing || (unread && request.headers.expect !== undefined))
    headers = { ...headers, Connection: "close" };
  const isHead = request.method === "HEAD";
  if (isHead && status !== 304) {
    // How long a text becomes that is made while it is sent is not known before.
    if (!result.more) headers = { ...headers, "Content-Length": String(Buffer.byteLength(body)) };
    body = "";
  }
  response.writeHead(status, headers);
  if (result.more && !isHead && status !== 304) send(response, body, result.more, onFault);
  else response.end(body);
  if (unread) discard(request);
}

/** Joined into pieces that are worth a packet; waits for the client, and stops when it has gone. */
function send(
  response: ServerResponse,
  body: string | Uint8Array,
  more: NonNullable<HttpResponse["more"]>,
  onFault: ReplyOptions["onFault"],
): void {
  const pieces = Readable.from(joined(body, more), { objectMode: false, highWaterMark: PIECE_CHARS });
  pieces.on("error", (error) => {
    onFault(error);
    // To the client a cut connection says that the text is not whole.
    response.destroy();
  });
  response.on("close", () => pieces.destroy());
  pieces.pipe(response);
}

const PIECE_CHARS = 16_384;

async function* joined(
  body: string | Uint8Array,
  more: NonNullable<HttpResponse["more"]>,
): AsyncGenerator<string | Uint8Array> {
  if (body.length > 0) yield body;
  let piece = "";
  for await (const text of more) {
    piece += text;
    if (piece.length < PIECE_CHARS) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
