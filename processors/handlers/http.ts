/** The query API in API Gateway's proxy form: reads requests, and makes replies with a status per error code and an ETag per body. */
import { createHash } from "node:crypto";
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { ClickstreamError, type ErrorCode } from "../errors.ts";

const STATUS: Partial<Record<ErrorCode, number>> = {
  bad_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  throttled: 503,
  unavailable: 503,
};

const HEADERS = { "content-type": "application/json; charset=utf-8", "cache-control": "no-cache" };

/** The body as JSON. Throws `bad_request`. */
export function jsonBody({ body, isBase64Encoded }: APIGatewayProxyEvent): unknown {
  const text = isBase64Encoded ? Buffer.from(body ?? "", "base64").toString() : (body ?? "");
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ClickstreamError("bad_request", "body: not JSON", { cause });
  }
}

/** A header's value whatever its case; `name` in lower case. */
export const header = (event: APIGatewayProxyEvent, name: string): string | undefined =>
  Object.entries(event.headers ?? {}).find(([key]) => key.toLowerCase() === name)?.[1];

/** 200 with the value as JSON, or 304 without a body when `known` (If-None-Match) names that very body. */
export function answer(value: unknown, known = ""): APIGatewayProxyResult {
  const body = JSON.stringify(value);
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
  const headers = { ...HEADERS, etag };
  // A proxy that compresses turns a strong tag into a weak one; for a read-only answer the two mean the same.
  const isKnown = known.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
  return isKnown ? { statusCode: 304, headers, body: "" } : { statusCode: 200, headers, body };
}

/** The caller's mistakes with their message; everything else as a request id, because our errors may name resources. */
export function refusal(error: unknown, requestId: string): APIGatewayProxyResult {
  const status = error instanceof ClickstreamError ? (STATUS[error.code] ?? 500) : 500;
  const isCallers = error instanceof ClickstreamError && status < 500;
  const message = isCallers ? error.message : status === 503 ? "busy, try again" : "internal error";
  return {
    statusCode: status,
    headers: status === 503 ? { ...HEADERS, "retry-after": "1" } : HEADERS,
    body: JSON.stringify(isCallers ? { error: message } : { error: message, request_id: requestId }),
  };
}
