/** The thread that counts while a file is imported and no server does: then parsing has a core of its own. */
import { parentPort, workerData } from "node:worker_threads";
import type { CommitPosition } from "../../processors/pipeline/aggregate.ts";
import { type CountingOptions, startCounting } from "./counting.ts";

/** What it says to whoever began it; they answer once, to end it. */
export type CounterMessage = "ready" | { readonly log: string } | { readonly commit: CommitPosition };

const say = (message: CounterMessage): void => parentPort?.postMessage(message);

const counting = await startCounting({
  ...(workerData as Omit<CountingOptions, "log" | "onCommit">),
  log: (line) => say({ log: line }),
  onCommit: (commit) => say({ commit }),
});
parentPort?.once("message", async () => {
  await counting.close();
  parentPort?.close();
});
say("ready");
