/** The archive's objects in an S3 bucket, as Firehose writes them and as a rebuild does. Knows nothing of what they are for. */
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { awsError, httpHandler } from "../aws.ts";
import { ClickstreamError } from "../errors.ts";
import { placeOf, rowOf, type Values, valuesOf } from "./layout.ts";
import type { ArchiveObjects } from "./objects.ts";
import { decodeParquet, encodeParquet } from "./parquet.ts";

export interface BucketObjectsOptions {
  readonly bucket: string;
  /** Default: one made from the usual AWS_* variables. */
  readonly client?: S3Client;
}

const SITE = placeOf("site");
const PROPS = placeOf("props");

export function bucketObjects(options: BucketObjectsOptions): ArchiveObjects {
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

  return {
    get,
    put,
    async list(Prefix) {
      const found: { key: string; bytes: number }[] = [];
      for (let ContinuationToken: string | undefined; ; ) {
        const page = await client
          .send(new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken }))
          .catch((error: unknown) => {
            throw awsError(`S3 ListObjectsV2 ${Prefix}`, error);
          });
        for (const { Key = "", Size = 0 } of page.Contents ?? []) found.push({ key: Key, bytes: Size });
        ContinuationToken = page.NextContinuationToken;
        if (ContinuationToken === undefined) return found;
      }
    },
    async readRows(key, site) {
      const bytes = await get(key);
      if (!bytes) throw new ClickstreamError("not_found", `S3 object ${key} is gone`);
      return (await decodeParquet(bytes)).map((values) => rowOf(completed(values, site)));
    },
    writeRows: (key, rows) => put(key, encodeParquet(rows.map(valuesOf))),
  };
}

/** Firehose has the site in the path alone, and an event without properties may have null there. */
function completed(values: unknown[], site: string): Values {
  values[SITE] ??= site;
  values[PROPS] ??= [];
  return values;
}
