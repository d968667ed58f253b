/** What becomes of the errors of AWS' clients: each by its kind, whatever words its service has for it. */
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { expect, it } from "vitest";
import { awsError } from "../../processors/aws.ts";
import { localClient, startWire } from "../conformance/doubles.ts";

it.each([
  { service: "s3", status: 403, code: "AccessDenied", becomes: "config" },
  { service: "s3", status: 400, code: "ExpiredToken", becomes: "config" },
  { service: "s3", status: 400, code: "RequestTimeout", becomes: "unavailable" },
  { service: "s3", status: 503, code: "SlowDown", becomes: "unavailable" },
  { service: "s3", status: 400, code: "InvalidArgument", becomes: "invariant" },
  { service: "sns", status: 403, code: "AuthorizationError", becomes: "config" },
  { service: "sns", status: 429, code: "Throttled", becomes: "throttled" },
])("takes $code of $service for $becomes", async ({ service, status, code, becomes }) => {
  const error = `<Error><Type>Sender</Type><Code>${code}</Code><Message>account 123456789012</Message></Error>`;
  const body = service === "s3" ? error : `<ErrorResponse>${error}</ErrorResponse>`;
  const wire = await startWire("http://127.0.0.1:1", async () => ({
    ...{ status, type: "application/xml", body: Buffer.from(body) },
  }));
  const options = { ...localClient(wire.endpoint), maxAttempts: 1 };
  try {
    const asked =
      service === "s3"
        ? new S3Client({ ...options, forcePathStyle: true }).send(
            new PutObjectCommand({ Bucket: "rows", Key: "a", Body: "b" }),
          )
        : new SNSClient(options).send(new PublishCommand({ TopicArn: "arn:aws:sns:a:1:b", Message: "c" }));
    const cause: unknown = await asked.catch((thrown: unknown) => thrown);
    expect(awsError("an operation", cause)).toMatchObject({
      code: becomes,
      message: expect.not.stringContaining("123456789012"),
    });
  } finally {
    await wire.close();
  }
});
