/** The services beside the table and the stream: S3 as a double, Athena as one that runs nothing, and five that only write down what they are asked. */
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { buildApp } from "fauxqs";
import { type Double, type Exchange, localClient, startWire } from "../../conformance/doubles.ts";
import { fakeAthena } from "../../kit/athena.ts";
import type { Json } from "./synth.ts";

export interface Others {
  readonly endpoints: Readonly<Record<string, string>>;
  /** What a service was asked, in order. */
  asked(service: "firehose" | "lambda" | "monitoring" | "sns" | "xray"): readonly Json[];
  makeBucket(name: string): Promise<void>;
  drop(bucket: string, key: string, body: string): Promise<void>;
  close(): Promise<void>;
}

const ok = (type: string, body: string) => ({ status: 200, type, body: Buffer.from(body) });
const JSON_TYPE = "application/x-amz-json-1.1";

/** As each of them answers when all is well. */
const ANSWERS: Readonly<Record<string, (asked: Json) => ReturnType<typeof ok>>> = {
  firehose: ({ Records }) =>
    ok(
      JSON_TYPE,
      JSON.stringify({ FailedPutCount: 0, RequestResponses: Records.map(() => ({ RecordId: "1" })) }),
    ),
  lambda: () => ok("application/json", "{}"),
  xray: () => ok("application/json", '{"UnprocessedTraceSegments":[]}'),
  // Half of it in each of two periods; nothing of the last metric.
  monitoring: ({ MetricDataQueries }) =>
    ok(
      "application/x-amz-json-1.0",
      JSON.stringify({
        MetricDataResults: MetricDataQueries.slice(0, -1).map(({ Id }: Json) => ({ Id, Values: [500, 500] })),
      }),
    ),
  sns: () =>
    ok(
      "text/xml",
      '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>',
    ),
};

const read = ({ service, body }: Exchange): Json =>
  service === "sns" ? Object.fromEntries(new URLSearchParams(body.toString())) : JSON.parse(body.toString());

export async function startOthers(): Promise<Others> {
  const asked = new Map<string, Json[]>();
  const clerk: Double = await startWire("http://127.0.0.1:1", async (exchange) => {
    const question = read(exchange);
    asked.set(exchange.service, [...(asked.get(exchange.service) ?? []), question]);
    return ANSWERS[exchange.service]!(question);
  });
  const athena = await fakeAthena(() => []);
  athena.looksUntilDone = 0;
  const app = buildApp({ logger: false });
  const s3Endpoint = await app.listen({ port: 0, host: "127.0.0.1" });
  const s3 = new S3Client({ ...localClient(s3Endpoint), forcePathStyle: true });
  return {
    endpoints: {
      athena: athena.endpoint,
      s3: s3Endpoint,
      ...Object.fromEntries(Object.keys(ANSWERS).map((service) => [service, clerk.endpoint])),
    },
    asked: (service) => asked.get(service) ?? [],
    async makeBucket(Bucket) {
      await s3.send(new CreateBucketCommand({ Bucket }));
    },
    async drop(Bucket, Key, Body) {
      await s3.send(new PutObjectCommand({ Bucket, Key, Body: Buffer.from(Body) }));
    },
    async close() {
      s3.destroy();
      await Promise.all([clerk.close(), athena.close(), app.close()]);
    },
  };
}
