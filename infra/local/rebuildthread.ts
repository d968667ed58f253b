/** One of the threads that fold an archive again: each a lot of the visitors, and then a share of the windows. */
import { parentPort, workerData } from "node:worker_threads";
import { asOutage, type Lot, surveyedRows } from "../../processors/archives/rows.ts";
import type { Survey } from "../../processors/archives/survey.ts";
import { addShare, type Folded, type FoldOrder, foldRows } from "../../processors/pipeline/rebuildfold.ts";
import { windowFile } from "./windowfile.ts";

export type ThreadOrder =
  | {
      readonly fold: {
        /** Of the archive. */
        readonly directory: string;
        readonly survey: Survey;
        /** For what cannot be held. */
        readonly folder: string;
        readonly lot: Lot;
        readonly order: FoldOrder;
        /** The file that takes the windows. */
        readonly windows: string;
      };
    }
  | {
      readonly add: {
        /** Files with the windows of all lots. */
        readonly lots: readonly string[];
        /** Which windows. */
        readonly share: Lot;
        /** The file that takes what they add up to. */
        readonly sums: string;
      };
    };
export type ThreadAnswer =
  | { readonly rows: number }
  | { readonly done: Folded | undefined }
  | { readonly error: unknown };

const order = workerData as ThreadOrder;
const tell = (answer: ThreadAnswer): void => parentPort?.postMessage(answer);
const work = async (): Promise<Folded | undefined> => {
  if ("fold" in order) {
    const { directory, survey, folder, lot, windows: path } = order.fold;
    using windows = windowFile(path);
    const rows = surveyedRows(survey, folder, lot);
    return await foldRows(rows, order.fold.order, { ...windows, lots: lot.of }, (count) =>
      tell({ rows: count }),
    ).catch((cause: unknown) => {
      throw asOutage(directory, cause);
    });
  }
  const { lots, share, sums: path } = order.add;
  using opened = new DisposableStack();
  const sums = opened.use(windowFile(path));
  addShare(
    lots.map((lot) => opened.use(windowFile(lot))),
    share,
    sums,
  );
  return undefined;
};
await work().then(
  (done) => tell({ done }),
  (error: unknown) => tell({ error }),
);
