/** The query API in API Gateway's proxy form: reads requests, and makes replies with a status per error code and an ETag per body. */
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { ClickstreamError, type ErrorCode, isOurFault, toldOf } from "../errors.ts";
import { etagOfAnswer, matchesEtag } from "../etag.ts";
import { StillRunning } from "../pipeline/explore/running.ts";
import type { CsvExport } from "../pipeline/query/api.ts";

const STATUS: Partial<Record<ErrorCode, number>> = {
  bad_request: 400,
  no_archive: 400,
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

/**
 * Refuses what changes something unless it says that it is JSON. A page of a neighbouring host must not write by its
 * visitor's session, and it can send only "simple" requests without asking first, none of which is application/json.
 * Throws `bad_request`.
 * https://fetch.spec.whatwg.org/#cors-safelisted-request-header
 */
export function checkWrite(event: APIGatewayProxyEvent): void {
  if (!/^application\/json\b/i.test(header(event, "content-type") ?? ""))
    throw new ClickstreamError("bad_request", "content-type: application/json is needed");
}

/** The names of all parameters, each as often as it was given. */
export const parameterNames = ({ multiValueQueryStringParameters: given }: APIGatewayProxyEvent): string[] =>
  Object.entries(given ?? {}).flatMap(([name, values]) => (values ?? []).map(() => name));

/** A header's value whatever its case; `name` in lower case. */
export const header = (event: APIGatewayProxyEvent, name: string): string | undefined =>
  Object.entries(event.headers ?? {}).find(([key]) => key.toLowerCase() === name)?.[1];

/**
 * Lambda answers 6,291,556 bytes at most of JSON, in which the body is a text: its quotes and line ends take twice as much.
 * Beyond, the service would say 502 without a word.
 */
const MAX_ANSWER_BYTES = 6_000_000;
const MAX_BYTES_A_CHAR = "\\u0000".length;

/** What a part of a body takes there. */
const answerBytes = (text: string): number => Buffer.byteLength(JSON.stringify(text)) - 2;

/**
 * 200 with the value as JSON, or 304 without a body when `known` (If-None-Match) names the same content. Throws
 * `bad_request` when it is larger than a function may answer.
 */
export function answer(value: object, known?: string): APIGatewayProxyResult {
  const etag = etagOfAnswer(value);
  const headers = { ...HEADERS, etag };
  if (matchesEtag(known, etag)) return { statusCode: 304, headers, body: "" };
  const body = JSON.stringify(value);
  // Counted only where it may matter: nearly all are a thousandth of it.
  if (body.length * MAX_BYTES_A_CHAR > MAX_ANSWER_BYTES && answerBytes(body) > MAX_ANSWER_BYTES)
    throw new ClickstreamError("bad_request", "pagination.limit: gives more than 6 MB; ask for fewer rows");
  return { statusCode: 200, headers, body };
}

/** A table as a download. Throws `bad_request` when it is larger than a function may answer. */
export async function csvAnswer({ disposition, lines }: CsvExport): Promise<APIGatewayProxyResult> {
  let body = "";
  let bytes = 0;
  for await (const some of lines) {
    bytes += answerBytes(some);
    if (bytes > MAX_ANSWER_BYTES)
      throw new ClickstreamError(
        "bad_request",
        "date_range: gives more than 6 MB of CSV; ask for less at once",
      );
    body += some;
  }
  const headers = {
    "content-type": "text/csv; charset=utf-8; header=present",
    "content-disposition": disposition,
    "cache-control": "no-store",
  };
  return { statusCode: 200, headers, body };
}

/**
 * The caller's mistakes with their message; everything else as a request id, because our errors may name resources.
 * `signIn` is the path where a browser gets what it lacks.
 */
export function refusal(error: unknown, requestId: string, signIn?: string): APIGatewayProxyResult {
  if (error instanceof StillRunning) return reply(202, error.told, { "retry-after": "1" });
  const status = statusOf(error);
  const challenge = status === 401 ? { "www-authenticate": "Bearer" } : {};
  const help = status === 401 && signIn ? { sign_in: signIn } : {};
  if (status < 500) return reply(status, { ...toldOf(error as ClickstreamError), ...help }, challenge);
  if (status === 503)
    return reply(503, { error: "busy, try again", request_id: requestId }, { "retry-after": "1" });
  return reply(500, { error: "internal error", request_id: requestId });
}

function statusOf(error: unknown): number {
  if (!(error instanceof ClickstreamError) || isOurFault(error)) return 500;
  return STATUS[error.code] ?? 500;
}

const reply = (statusCode: number, body: unknown, headers = {}): APIGatewayProxyResult => ({
  statusCode,
  headers: { ...HEADERS, ...headers },
  body: JSON.stringify(body),
});
