/** What the AWS drivers share: one way to connect, to say what failed, and to part what is too much for a request. Knows no service's operations. */
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { ClickstreamError, type ErrorCode } from "./errors.ts";

const MAX_SOCKETS = 64;

/**
 * HTTP/1.1 with kept connections and real timeouts. The SDK's default for Kinesis is HTTP/2, which local doubles do not
 * speak; and without `throwOnRequestTimeout` a request that hangs is only warned about.
 */
export function httpHandler(): NodeHttpHandler {
  // Options and no agents: an ES module that imports node:http loads undici with it, and https alone is needed on AWS.
  const agent = { keepAlive: true, maxSockets: MAX_SOCKETS };
  return new NodeHttpHandler({
    httpAgent: agent,
    httpsAgent: agent,
    connectionTimeout: 3_000,
    requestTimeout: 10_000,
    throwOnRequestTimeout: true,
  });
}

/** The parts of an SDK error that we look at. Never its message: AWS puts account ids into it. */
export interface SdkError {
  readonly name?: string;
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly attempts?: number };
}

const CODES: Readonly<Record<string, ErrorCode>> = {
  ProvisionedThroughputExceededException: "throttled",
  ThrottlingException: "throttled",
  Throttling: "throttled",
  RequestLimitExceeded: "throttled",
  LimitExceededException: "throttled",
  KMSThrottlingException: "throttled",
  TooManyRequestsException: "throttled",
  // The SDK's own: it could not get credentials, or none were configured.
  CredentialsProviderError: "config",
  UnrecognizedClientException: "config",
  InvalidSignatureException: "config",
  ExpiredTokenException: "config",
  ExpiredToken: "config",
  AccessDeniedException: "config",
  KMSAccessDeniedException: "config",
  KMSDisabledException: "config",
  KMSNotFoundException: "config",
  ResourceNotFoundException: "not_found",
  // Another writer or an administrator is busy with it; passes by itself.
  ResourceInUseException: "unavailable",
  TransactionConflictException: "unavailable",
  ReplicatedWriteConflictException: "unavailable",
  // S3's name for a connection that stood still, with status 400.
  RequestTimeout: "unavailable",
};

/** Of errors that each service names in its own way, S3 and SNS among them. */
const CODES_BY_STATUS: Readonly<Record<number, ErrorCode>> = { 403: "config", 429: "throttled" };

/**
 * Translates what an SDK client throws. `what` names the operation and its target, e.g. `Kinesis PutRecord to "clicks"`.
 * A refused request (4xx that is not listed above) is a bug of ours: `invariant`. All without an answer is an outage.
 */
export function awsError(what: string, cause: unknown): ClickstreamError {
  if (cause instanceof ClickstreamError) return cause;
  const { name = "Error", code, $metadata } = cause as SdkError;
  const status = $metadata?.httpStatusCode;
  const listed = CODES[name] ?? CODES_BY_STATUS[status ?? 0];
  const isRefused = status !== undefined && status >= 400 && status < 500;
  const detail = [name, code, status && `HTTP ${status}`].filter(Boolean).join(", ");
  return new ClickstreamError(listed ?? (isRefused ? "invariant" : "unavailable"), `${what}: ${detail}`, {
    cause,
  });
}

/** A list in parts that one request takes: of so many items and bytes at most, or of one item that has more. */
export function* batchesOf<T>(
  items: Iterable<T>,
  bytesOf: (item: T) => number,
  {
    maxItems = Number.POSITIVE_INFINITY,
    maxBytes,
  }: { readonly maxItems?: number; readonly maxBytes: number },
): Generator<T[]> {
  let batch: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const own = bytesOf(item);
    if (batch.length > 0 && (batch.length === maxItems || bytes + own > maxBytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += own;
  }
  if (batch.length > 0) yield batch;
}
