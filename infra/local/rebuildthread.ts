/** One of the threads that fold an archive again, each a lot of the visitors. */
import { parentPort, workerData } from "node:worker_threads";
import { fileRows, type Lot } from "../../processors/archives/rows.ts";
import { type Folded, type FoldOrder, foldRows } from "../../processors/pipeline/rebuildfold.ts";
import { windowFile } from "./windowfile.ts";

export interface ThreadOrder {
  /** Of the archive. */
  readonly directory: string;
  readonly lot: Lot;
  readonly order: FoldOrder;
  /** The file that takes the windows. */
  readonly windows: string;
}
export type ThreadAnswer =
  | { readonly rows: number }
  | { readonly folded: Folded }
  | { readonly error: unknown };

const { directory, lot, order, windows: path } = workerData as ThreadOrder;
const tell = (answer: ThreadAnswer): void => parentPort?.postMessage(answer);
const fold = async (): Promise<Folded> => {
  using windows = windowFile(path);
  return await foldRows(fileRows(directory, lot), order, { ...windows, lots: lot.of }, (rows) =>
    tell({ rows }),
  );
};
await fold().then(
  (folded) => tell({ folded }),
  (error: unknown) => tell({ error }),
);
