/** Starts a state machine of AWS Step Functions and waits for its end. Knows nothing of its steps. */
import { setTimeout as sleep } from "node:timers/promises";
import { DescribeExecutionCommand, SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn";
import { awsError, httpHandler } from "./aws.ts";
import { ClickstreamError } from "./errors.ts";

/** Soon at first, because what cannot be done fails at once; then less and less often. */
const LOOK_AFTER_MS = { first: 200, most: 5_000 };

/** `arn:aws:states:REGION:ACCOUNT:stateMachine:NAME`, also of China and GovCloud. */
const STATE_MACHINE = /^arn:aws[a-z-]*:states:([a-z0-9-]+):\d{12}:stateMachine:[\w-]+$/;

/** Throws `config`, which names the flag. */
function regionOf(stateMachine: string): string {
  const region = STATE_MACHINE.exec(stateMachine)?.[1];
  if (region === undefined)
    throw new ClickstreamError(
      "config",
      `--state-machine ${stateMachine}: arn:aws:states:REGION:ACCOUNT:stateMachine:NAME, as the deployment printed it`,
    );
  return region;
}

/**
 * Resolves with what the execution answers. `started` is told its ARN: it goes on when whoever waits is gone.
 * Throws what made it fail, `unavailable` if it was stopped or took too long.
 */
export async function runExecution(
  stateMachine: string,
  input: object,
  started: (arn: string) => void,
): Promise<unknown> {
  const client = new SFNClient({ region: regionOf(stateMachine), requestHandler: httpHandler() });
  const failed = (what: string) => (error: unknown) => {
    throw awsError(`Step Functions ${what} ${stateMachine}`, error);
  };
  try {
    const { executionArn } = await client
      .send(new StartExecutionCommand({ stateMachineArn: stateMachine, input: JSON.stringify(input) }))
      .catch(failed("StartExecution"));
    started(executionArn!);
    for (let wait = LOOK_AFTER_MS.first; ; wait = Math.min(2 * wait, LOOK_AFTER_MS.most)) {
      await sleep(wait);
      const { status, output, error, cause } = await client
        .send(new DescribeExecutionCommand({ executionArn }))
        .catch(failed("DescribeExecution"));
      if (status === "SUCCEEDED") return JSON.parse(output ?? "null");
      if (status !== "RUNNING")
        throw new ClickstreamError(
          "unavailable",
          `the execution ended: ${[status, error, messageOf(cause)].filter(Boolean).join(", ")}`,
        );
    }
  } finally {
    client.destroy();
  }
}

/** Lambda says why as JSON. */
function messageOf(cause: string | undefined): string | undefined {
  try {
    return (JSON.parse(cause ?? "") as { errorMessage?: string }).errorMessage ?? cause;
  } catch {
    return cause;
  }
}
