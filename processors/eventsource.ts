/** Driver of one event source mapping of Lambda: how long it gathers records before it calls the function. */
import { LambdaClient, UpdateEventSourceMappingCommand } from "@aws-sdk/client-lambda";
import { awsError, httpHandler } from "./aws.ts";

/** Sets the window of a mapping, in whole seconds; the same again changes nothing. Throws what `awsError` makes of the SDK's errors. */
export async function setBatchingWindow(mapping: string, seconds: number): Promise<void> {
  const client = new LambdaClient({ requestHandler: httpHandler() });
  try {
    await client.send(
      new UpdateEventSourceMappingCommand({ UUID: mapping, MaximumBatchingWindowInSeconds: seconds }),
    );
  } catch (cause) {
    throw awsError(`Lambda UpdateEventSourceMapping of "${mapping}"`, cause);
  } finally {
    client.destroy();
  }
}
