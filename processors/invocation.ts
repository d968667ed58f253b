/** Driver of calls from one function to another. */
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { awsError, httpHandler } from "./aws.ts";
import { ClickstreamError } from "./errors.ts";

/**
 * Calls a function and answers what it answers, as JSON. Throws `unavailable` when the function threw, which its own log
 * tells more of, and what `awsError` makes of the SDK's errors.
 */
export async function invoke(functionName: string, event: object): Promise<unknown> {
  const client = new LambdaClient({ requestHandler: httpHandler() });
  const what = `Lambda Invoke of "${functionName}"`;
  try {
    const answer = await client.send(
      new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify(event) }),
    );
    if (answer.FunctionError)
      throw new ClickstreamError("unavailable", `${what}: the function failed (${answer.FunctionError})`);
    return JSON.parse(new TextDecoder().decode(answer.Payload));
  } catch (cause) {
    throw awsError(what, cause);
  } finally {
    client.destroy();
  }
}
