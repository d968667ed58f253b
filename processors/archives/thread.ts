/** Entry of the thread that keeps the archive's files: an answer for each order, until it is ended. */
import { parentPort } from "node:worker_threads";
import { type KeepingOrder, type KeepingReport, keepFiles } from "./keeping.ts";

export type Answer = { readonly report: KeepingReport } | { readonly error: unknown };

parentPort?.on("message", async (order: KeepingOrder) => {
  const answer: Answer = await keepFiles(order).then(
    (report) => ({ report }),
    (error: unknown) => ({ error }),
  );
  parentPort?.postMessage(answer);
});
