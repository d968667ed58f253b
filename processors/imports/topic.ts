/** Tells an SNS topic of an object again, as S3 does. */
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { awsError, httpHandler } from "../aws.ts";

/** Resolves when the topic has taken it. Throws what `awsError` makes of the SDK's errors. */
export function snsTopic(
  topic: string,
  client: SNSClient = new SNSClient({ requestHandler: httpHandler() }),
): (text: string) => Promise<void> {
  return async (text) => {
    await client.send(new PublishCommand({ TopicArn: topic, Message: text })).catch((cause: unknown) => {
      throw awsError(`SNS Publish to "${topic}"`, cause);
    });
  };
}
