/** Objects in an S3 bucket. Knows nothing of what is in them. */
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { awsError, httpHandler } from "../aws.ts";
import { ClickstreamError } from "../errors.ts";
import type { BucketObjects } from "./objects.ts";

export interface BucketObjectsOptions {
  readonly bucket: string;
  /** Default: one made from the usual AWS_* variables. */
  readonly client?: S3Client;
}

/** As many as S3 deletes in a request. */
const DELETED_AT_ONCE = 1_000;

export function bucketObjects(options: BucketObjectsOptions): BucketObjects {
  const { bucket: Bucket } = options;
  const client = options.client ?? new S3Client({ requestHandler: httpHandler() });

  const get = async (Key: string): Promise<Uint8Array | undefined> => {
    try {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      return await Body?.transformToByteArray();
    } catch (error) {
      if ((error as { name?: string }).name === "NoSuchKey") return undefined;
      throw awsError(`S3 GetObject ${Key}`, error);
    }
  };

  const put = async (Key: string, Body: Uint8Array): Promise<void> => {
    await client.send(new PutObjectCommand({ Bucket, Key, Body })).catch((error: unknown) => {
      throw awsError(`S3 PutObject ${Key}`, error);
    });
  };

  async function* pages(Prefix: string, Delimiter?: string): AsyncGenerator<ListObjectsV2CommandOutput> {
    for (let ContinuationToken: string | undefined; ; ) {
      const page = await client
        .send(new ListObjectsV2Command({ Bucket, Prefix, Delimiter, ContinuationToken }))
        .catch((error: unknown) => {
          throw awsError(`S3 ListObjectsV2 ${Prefix}`, error);
        });
      yield page;
      ContinuationToken = page.NextContinuationToken;
      if (ContinuationToken === undefined) return;
    }
  }

  return {
    get,
    put,
    async list(prefix) {
      const found: { key: string; bytes: number }[] = [];
      for await (const { Contents = [] } of pages(prefix))
        for (const { Key = "", Size = 0 } of Contents) found.push({ key: Key, bytes: Size });
      return found;
    },
    async folders(prefix) {
      const found: string[] = [];
      for await (const { CommonPrefixes = [] } of pages(prefix, "/"))
        for (const { Prefix = "" } of CommonPrefixes) found.push(Prefix);
      return found;
    },
    async delete(keys) {
      for (let i = 0; i < keys.length; i += DELETED_AT_ONCE) {
        const Objects = keys.slice(i, i + DELETED_AT_ONCE).map((Key) => ({ Key }));
        const { Errors = [] } = await client
          .send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
          .catch((error: unknown) => {
            throw awsError("S3 DeleteObjects", error);
          });
        // 200, with what was refused inside.
        const [refused] = Errors;
        if (refused)
          throw new ClickstreamError(
            "unavailable",
            `S3 DeleteObjects: ${Errors.length} of ${Objects.length} refused, ${refused.Key}: ${refused.Code}`,
          );
      }
    },
  };
}
