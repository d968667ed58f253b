/** Calls of an AWS client in the trace of the Lambda invocation that makes them. Knows no service. */
import type { SdkError } from "./aws.ts";
import { addOutcome, endedSubsegment, inLambda, loadSdk, sendAt, tracedInvocation } from "./segments.ts";
import { preciseClock } from "./tracing.ts";

interface Metadata {
  readonly httpStatusCode?: number;
  readonly requestId?: string;
  readonly attempts?: number;
}

// biome-ignore lint/suspicious/noExplicitAny: a middleware takes and gives what the client's commands do
type Loose = any;

/**
 * Makes the calls of an AWS SDK v3 client appear in the trace of the running Lambda invocation, when that is traced: which
 * operation, how long, how it ended. Outside Lambda there is no such trace, and the client stays as it was.
 */
export function captureClient<Client extends { middlewareStack: Loose; config: Loose }>(
  client: Client,
): Client {
  if (!inLambda()) return client;
  const clock = preciseClock();
  const middleware =
    (next: Loose, { clientName, commandName }: Loose) =>
    async (args: Loose) => {
      const place = tracedInvocation();
      if (!place) return next(args);
      const loaded = await loadSdk();
      const startMs = clock.now();
      /** A call without an answer has no metadata of one. */
      const tell = async ({ httpStatusCode, requestId, attempts = 1 }: Metadata): Promise<void> => {
        const call = endedSubsegment(loaded, clientName.replace(/Client$/, ""), startMs, clock.now());
        call.addAttribute("namespace", "aws"); // what makes it a service of its own on the map
        call.addAttribute("aws", {
          operation: commandName.replace(/Command$/, ""),
          region: await client.config.region(),
          table_name: args.input.TableName,
          request_id: requestId,
          retries: attempts - 1,
        });
        if (httpStatusCode) call.addAttribute("http", { response: { status: httpStatusCode } });
        addOutcome(call, httpStatusCode ?? 500);
        sendAt(loaded, place, call);
      };
      // A trace is a courtesy: whatever goes wrong in it must not fail the call.
      try {
        const result = await next(args);
        await tell(result.output.$metadata).catch(() => {});
        return result;
      } catch (error) {
        await tell((error as SdkError).$metadata ?? {}).catch(() => {});
        throw error;
      }
    };
  client.middlewareStack.add(middleware, { step: "build", name: "tracing" });
  return client;
}
