/**
 * The tracer of the stream's consumers. What it adds to the traces of clicks, which the API began, goes to X-Ray by X-Ray's
 * own API: these are not the invocation's trace, and nothing says that Lambda's daemon takes others from a function that
 * begins none.
 */
import { type XrayTracer, xrayTracer } from "../tracing.ts";
import { tell } from "./metrics.ts";
import { clock } from "./services.ts";

/** The next batch of the shard waits so long at most for a picture of this one, once in some hundred clicks. */
const PUT_MS = 1_000;

let opening: ReturnType<typeof open> | undefined;
async function open() {
  const { putDocuments, xrayClient } = await import("../xray.ts");
  const client = xrayClient();
  return (documents: readonly string[]) =>
    putDocuments(documents, { client, signal: AbortSignal.timeout(PUT_MS) });
}

/** Counts what X-Ray does not take: its lack must not fail a batch, which has been committed. */
async function put(documents: readonly string[]): Promise<void> {
  let lost = documents.length;
  try {
    opening ??= open();
    lost = await (await opening)(documents);
  } catch (error) {
    console.warn(`${error}`);
  }
  if (lost > 0) tell({ Untraced: lost }, clock.now());
}

export const consumerTracer = (name: string, commitsTo?: string): XrayTracer =>
  xrayTracer({ name, put, commitsTo });
