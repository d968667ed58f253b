/** The parts of folding an archive again that threads share: for some of its files, a lot of its visitors, or some of the windows. */
import { asOutage, type Lot, surveyedRows } from "../../processors/archives/rows.ts";
import { type Kept, type Looked, lookAt, type Survey } from "../../processors/archives/survey.ts";
import type { EpochMs } from "../../processors/model/time.ts";
import {
  addShare,
  type Folded,
  type FoldOrder,
  foldRows,
} from "../../processors/pipeline/rebuild/foldrows.ts";
import { windowFile } from "./windowfile.ts";

/** Plain data. */
export type PartOrder =
  | {
      readonly look: {
        /** Of the archive. */
        readonly directory: string;
        readonly files: Kept["files"];
        readonly from: EpochMs;
      };
    }
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
/** Whatever goes wrong with files. */
const reading = <T>(directory: string, work: Promise<T>): Promise<T> =>
  work.catch((cause: unknown) => {
    throw asOutage(directory, cause);
  });

/** Does a part. `progress` is told how many rows are folded so far. Throws `unavailable` where files cannot be read. */
export async function doPart(
  order: PartOrder,
  progress: (rows: number) => void,
): Promise<Looked | Folded | undefined> {
  if ("look" in order) {
    const { directory, files, from } = order.look;
    return reading(directory, lookAt(files, from));
  }
  if ("fold" in order) {
    const { directory, survey, folder, lot, windows: path } = order.fold;
    using windows = windowFile(path);
    const rows = surveyedRows(survey, folder, lot);
    const shelves = { ...windows, lots: lot.of };
    return await reading(directory, foldRows(rows, order.fold.order, shelves, progress));
  }
  const { lots, share, sums: path } = order.add;
  using opened = new DisposableStack();
  const sums = opened.use(windowFile(path));
  const windows = lots.map((lot) => opened.use(windowFile(lot)));
  addShare(windows, share, sums);
  return undefined;
}
