/** A thread that does parts of folding an archive again, one at a time. */
import { parentPort } from "node:worker_threads";
import { doPart, type PartOrder } from "./rebuildpart.ts";

export type ThreadAnswer =
  | { readonly rows: number }
  | { readonly done: Awaited<ReturnType<typeof doPart>> }
  | { readonly error: unknown };

const tell = (answer: ThreadAnswer): void => parentPort?.postMessage(answer);

parentPort?.on("message", (order: PartOrder) => {
  void doPart(order, (rows) => tell({ rows })).then(
    (done) => tell({ done }),
    (error: unknown) => tell({ error }),
  );
});
