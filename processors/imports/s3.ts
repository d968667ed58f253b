/** Objects of one S3 bucket as files that are imported, and reports beside them. Reads by ranges of one version of an object. */
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { awsError, httpHandler, type SdkError } from "../aws.ts";
import { ClickstreamError } from "../errors.ts";
import type { ImportDeps } from "../pipeline/import/importer.ts";
import type { RawFile } from "./rawfile.ts";

export interface S3Objects {
  /** Undefined when there is no such object. */
  open(key: string): Promise<RawFile | undefined>;
  /** A small object's text; undefined when there is no such object. */
  text(key: string): Promise<string | undefined>;
  write(key: string, text: string, contentType: string): Promise<void>;
}

export interface S3ObjectsOptions {
  readonly bucket: string;
  readonly client: S3Client;
  /** Default: 8 MiB, so that the time until a request's first byte does not show. */
  readonly partBytes?: number;
}

/** What a format is told by fits the first part; whoever wants no more than that reads no more. */
const FIRST_BYTES = 128 * 1024;
const PART_BYTES = 8 * 1024 * 1024;
/** The SDK tries a request again, but not an answer that breaks off. */
const MAX_TRIES = 3;

/** Made from the usual AWS_* variables. */
export const s3Client = (): S3Client => new S3Client({ requestHandler: httpHandler() });

/** Throws `throttled`, `unavailable` (an object that was replaced while it was read, too) or `config` (permissions). */
export function s3Objects({ bucket, client, partBytes = PART_BYTES }: S3ObjectsOptions): S3Objects {
  const fail = (operation: string, key: string, cause: unknown): never => {
    const { $metadata } = cause as SdkError;
    if ($metadata?.httpStatusCode === 412)
      throw new ClickstreamError("unavailable", `s3://${bucket}/${key}: replaced while it was read`, {
        cause,
      });
    throw awsError(`S3 ${operation} of s3://${bucket}/${key}`, cause);
  };

  /** [start, end) of the version that `etag` names. */
  const range = async (key: string, etag: string, start: number, end: number): Promise<Uint8Array> => {
    if (start >= end) return new Uint8Array();
    for (let tries = 1; ; tries++) {
      try {
        const { Body } = await client.send(
          new GetObjectCommand({
            Bucket: bucket,
            Key: key,
            Range: `bytes=${start}-${end - 1}`,
            IfMatch: etag,
          }),
        );
        const bytes = await Body!.transformToByteArray();
        if (bytes.length === end - start) return bytes;
        throw new Error(`${bytes.length} bytes instead of ${end - start}`);
      } catch (cause) {
        const isAnswered = (cause as SdkError).$metadata?.httpStatusCode !== undefined;
        if (isAnswered || tries === MAX_TRIES) fail("GetObject", key, cause);
      }
    }
  };

  return {
    async open(key) {
      const head = await client
        .send(new HeadObjectCommand({ Bucket: bucket, Key: key }))
        .catch((cause: unknown) => {
          if (isMissing(cause)) return undefined;
          return fail("HeadObject", key, cause);
        });
      if (!head) return undefined;
      const byteLength = head.ContentLength ?? 0;
      const etag = head.ETag ?? "*";
      return {
        name: key.slice(key.lastIndexOf("/") + 1),
        byteLength,
        async *stream() {
          const first = Math.min(FIRST_BYTES, partBytes, byteLength);
          yield await range(key, etag, 0, first);
          const part = (start: number) => {
            const promise = range(key, etag, start, Math.min(start + partBytes, byteLength));
            promise.catch(() => {}); // it is awaited below, or nobody wants it any more
            return promise;
          };
          // While one part is worked on, the next is on its way.
          let next = first < byteLength ? part(first) : undefined;
          for (let at = first; next; ) {
            const bytes: Uint8Array = await next;
            at += bytes.length;
            next = at < byteLength ? part(at) : undefined;
            yield bytes;
          }
        },
        async slice(start, end = byteLength) {
          const bytes = await range(key, etag, start, end);
          // Only what was asked for: the answer may be a view into something larger.
          return bytes.slice().buffer;
        },
      };
    },
    async text(key) {
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
        return await Body!.transformToString();
      } catch (cause) {
        return isMissing(cause) ? undefined : fail("GetObject", key, cause);
      }
    },
    async write(key, text, ContentType) {
      await client
        .send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: text, ContentType }))
        .catch((cause: unknown) => fail("PutObject", key, cause));
    },
  };
}

const isMissing = (cause: unknown): boolean => (cause as SdkError).$metadata?.httpStatusCode === 404;

/** About 80,000 lines; who has more of them has the wrong format. */
const MAX_REPORT_BYTES = 8 * 1024 * 1024;
const NEWLINE = 10;

/**
 * Lines that could not be used, as one object of NDJSON that is written anew as it grows; there is none where all could
 * be used. What does not fit is left out: then there are fewer `lines` in it than were bad.
 */
export function s3Report(
  objects: S3Objects,
  key: string,
  name: string,
): ImportDeps["report"] & { readonly lines: number } {
  let text = Buffer.alloc(0);
  let waiting: string[] = [];
  let waitingBytes = 0;
  let isFull = false;
  return {
    get lines() {
      return text.reduce((lines, byte) => lines + (byte === NEWLINE ? 1 : 0), waiting.length);
    },
    async begin(length) {
      const known = length > 0 ? await objects.text(key) : undefined;
      text = Buffer.from(known ?? "").subarray(0, length);
    },
    add(line, reason) {
      const entry = `${JSON.stringify({ file: name, line, reason })}\n`;
      const bytes = Buffer.byteLength(entry);
      // Once full, always full: a short line would hide that longer ones before it are missing.
      isFull ||= text.length + waitingBytes + bytes > MAX_REPORT_BYTES;
      if (isFull) return;
      waiting.push(entry);
      waitingBytes += bytes;
    },
    async flush() {
      if (waiting.length === 0) return text.length;
      text = Buffer.concat([text, Buffer.from(waiting.join(""))]);
      waiting = [];
      waitingBytes = 0;
      await objects.write(key, text.toString(), "application/x-ndjson");
      return text.length;
    },
  };
}
