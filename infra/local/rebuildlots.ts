/** Folds an archive again on all processors: each thread takes a lot of the visitors, and then a share of the windows of all lots to add up. */
import { rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { asOutage, workFolder } from "../../processors/archives/rows.ts";
import { surveyRows } from "../../processors/archives/survey.ts";
import {
  type Folded,
  type FoldedRows,
  type FoldOrder,
  foldedOf,
} from "../../processors/pipeline/rebuildfold.ts";
import { keepRoomForYoung } from "./heap.ts";
import type { ThreadAnswer, ThreadOrder } from "./rebuildthread.ts";
import { windowFile } from "./windowfile.ts";

/** A thread is worth its start for so many rows. */
const ROWS_A_LOT = 200_000;
/** What visitors and half-counted rows take is needed once a thread. */
const MAX_LOTS = 4;

/** How to fold the archive in `directory`, as `rebuild` wants it. */
export const foldInLots =
  (directory: string) =>
  async (order: FoldOrder, progress: (rows: number) => void): Promise<FoldedRows> => {
    await using opened = new AsyncDisposableStack();
    const folder = await workFolder(directory);
    opened.defer(() => rm(folder, { recursive: true, force: true }));
    const { id } = order.site;
    const survey = await surveyRows(directory, id, folder, order.archivedFrom).catch((cause: unknown) => {
      throw asOutage(directory, cause);
    });
    const wanted = Math.max(1, Math.ceil((survey.rows + survey.fresh.length) / ROWS_A_LOT));
    const of = Math.min(availableParallelism(), MAX_LOTS, wanted);
    const numbers = Array.from({ length: of }, (_, number) => number);
    // This thread waits from here on.
    keepRoomForYoung();
    const lots = numbers.map((number) => join(folder, `lot-${number}.db`));
    const rows = new Array<number>(of).fill(0);
    const folded = await Promise.all(
      numbers.map((number) =>
        inThread<Folded>(
          {
            fold: {
              ...{ directory, survey, folder, lot: { number, of } },
              ...{ order: { ...order, since: survey.since }, windows: lots[number]! },
            },
          },
          (count) => {
            rows[number] = count;
            progress(rows.reduce((sum, one) => sum + one, 0));
          },
        ),
      ),
    );
    const sums = numbers.map((number) => join(folder, `sums-${number}.db`));
    await Promise.all(
      numbers.map((number) => inThread({ add: { lots, share: { number, of }, sums: sums[number]! } })),
    );
    const files = sums.map((path) => opened.use(windowFile(path)));
    const kept = opened.move();
    return { ...foldedOf(folded, files), [Symbol.asyncDispose]: () => kept.disposeAsync() };
  };

/** A checkout has sources; a package what was compiled from them. */
const THREAD = new URL(`./rebuildthread.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);

function inThread<T>(order: ThreadOrder, progress: (rows: number) => void = () => {}): Promise<T> {
  const thread = new Worker(THREAD, { workerData: order });
  return new Promise<T>((done, fail) => {
    thread.once("error", fail);
    thread.once("exit", (code) => fail(new Error(`a thread that folds the archive ended (${code})`)));
    thread.on("message", (answer: ThreadAnswer) => {
      if ("rows" in answer) progress(answer.rows);
      else if ("done" in answer) done(answer.done as T);
      else fail(answer.error);
    });
  }).finally(() => thread.terminate());
}
