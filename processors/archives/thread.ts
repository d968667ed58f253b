/** Entry of the thread that keeps the archive's files: an answer for each order, until it is ended. */
import { parentPort } from "node:worker_threads";
import { type KeepingOrder, type KeepingReport, keepFiles } from "./keeping.ts";
import { LongJournals } from "./longjournal.ts";

export type Answer = { readonly report: KeepingReport } | { readonly error: unknown };

const long = new LongJournals();

parentPort?.on("message", async (order: KeepingOrder) => {
  const answer: Answer = await keepFiles(order, long).then(
    (report) => ({ report }),
    (error: unknown) => ({ error }),
  );
  parentPort?.postMessage(answer);
});
