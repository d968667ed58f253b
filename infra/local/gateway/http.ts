/** Requests and responses as the gateway's handlers see them, and the answers that every station uses. */
import { EMBED_POLICY, PAGE_POLICY } from "../../policy.ts";

export interface HttpRequest {
  readonly method: string;
  /** Path without the query string, still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** UTF-8 text; "" for GET and HEAD. */
  readonly body: string;
  /** The client's IP address. */
  readonly address: string;
  /** Aborts when the client is gone before it was answered: whatever is still to be done for it need not be. */
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
  /** More text after the body, made and sent as fast as the client takes it. */
  readonly more?: Iterable<string> | AsyncIterable<string>;
}

/** Answers a request. May throw: see `failure` for what becomes of an error. */
export type Handler = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;

/** A JSON answer. */
export const jsonResponse = (
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse => ({
  status,
  headers: { "Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", ...headers },
  body: JSON.stringify(value),
});

/** For what other sites may frame. No X-Frame-Options: it knows no "anybody", and browsers follow the policy. */
export const EMBEDDABLE: Readonly<Record<string, string>> = { "Content-Security-Policy": EMBED_POLICY };

/** Headers for every answer with a body; a page also gets its policy. What the handler set itself stays. */
export function secured(headers: Readonly<Record<string, string>>): Record<string, string> {
  const result: Record<string, string> = { "X-Content-Type-Options": "nosniff", ...headers };
  const type = Object.entries(headers).find(([name]) => name.toLowerCase() === "content-type")?.[1];
  if (type?.startsWith("text/html")) {
    result["Content-Security-Policy"] ??= PAGE_POLICY;
    result["Referrer-Policy"] ??= "same-origin";
    if (result["Content-Security-Policy"] !== EMBED_POLICY) result["X-Frame-Options"] ??= "DENY";
  }
  return result;
}

/** A page for people who came to a wrong address. Holds nothing of the request. */
export const notFoundPage: HttpResponse = {
  status: 404,
  headers: { "Content-Type": "text/html; charset=utf-8" },
  body: '<!doctype html><html lang="en"><meta charset="utf-8"><title>Not found</title><h1>Not found</h1><p><a href="/">To the dashboard</a></p></html>',
};
