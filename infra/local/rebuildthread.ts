/** One of the threads that fold an archive again, each a lot of the visitors. */
import { parentPort, workerData } from "node:worker_threads";
import { fileRows, type Lot } from "../../processors/archives/rows.ts";
import { type FoldedRows, type FoldOrder, foldRows } from "../../processors/pipeline/rebuildfold.ts";

export interface ThreadOrder {
  /** Of the archive. */
  readonly directory: string;
  readonly lot: Lot;
  readonly order: FoldOrder;
}
export type ThreadAnswer =
  | { readonly rows: number }
  | { readonly folded: FoldedRows }
  | { readonly error: unknown };

const { directory, lot, order } = workerData as ThreadOrder;
const tell = (answer: ThreadAnswer): void => parentPort?.postMessage(answer);
await foldRows(fileRows(directory, lot), order, (rows) => tell({ rows })).then(
  (folded) => tell({ folded }),
  (error: unknown) => tell({ error }),
);
