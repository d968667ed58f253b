/** A bucket of the S3 double with a client for it, in this process. */
import { S3Client } from "@aws-sdk/client-s3";
import { startFauxqs } from "fauxqs";
import { httpHandler } from "../../processors/aws.ts";

export interface BucketDouble {
  readonly bucket: string;
  readonly client: S3Client;
  close(): Promise<void>;
}

export async function bucketDouble(): Promise<BucketDouble> {
  const bucket = "archive";
  const server = await startFauxqs({ port: 0, host: "127.0.0.1", logger: false });
  server.createBucket(bucket);
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${server.port}`,
    region: "eu-west-1",
    forcePathStyle: true,
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
    requestHandler: httpHandler(),
    maxAttempts: 1,
  });
  return {
    bucket,
    client,
    async close() {
      client.destroy();
      await server.stop();
    },
  };
}
