/** Tells of alerts by an SNS topic: people subscribe by e-mail, programs by queue or function. */
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { awsError, httpHandler } from "../aws.ts";
import type { Notifier } from "./notifier.ts";

/** Subjects of e-mails: printable ASCII, 100 characters at most. */
const MAX_SUBJECT = 100;

/** Attributes `site`, `kind` and `state` are there for filter policies. Throws what `awsError` makes of the SDK's errors. */
export function snsNotifier({
  topic,
  client,
}: {
  readonly topic: string;
  readonly client?: SNSClient;
}): Notifier {
  const sns = client ?? new SNSClient({ requestHandler: httpHandler() });
  return {
    async notify(alert) {
      const text = (value: string) => ({ DataType: "String", StringValue: value });
      const subject = `Rivulet: ${alert.kind} ${alert.state} on ${alert.site}`.replace(/[^\x20-\x7e]/g, "?");
      try {
        await sns.send(
          new PublishCommand({
            TopicArn: topic,
            Subject: subject.slice(0, MAX_SUBJECT),
            Message: `${alert.text}\n\n${alert.url}\n\n${JSON.stringify(alert)}\n`,
            MessageAttributes: { site: text(alert.site), kind: text(alert.kind), state: text(alert.state) },
          }),
        );
      } catch (cause) {
        throw awsError(`SNS Publish to "${topic}"`, cause);
      }
    },
  };
}
