/**
 * Folds an archive again on all processors: each thread looks at a share of the files, folds a lot of the visitors, and adds
 * up a share of the windows of all lots.
 */
import { rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { asOutage, workFolder } from "../../processors/archives/rows.ts";
import { keepRows, type Looked, surveyOf } from "../../processors/archives/survey.ts";
import {
  type Folded,
  type FoldedRows,
  type FoldOrder,
  foldedOf,
} from "../../processors/pipeline/rebuild/foldrows.ts";
import { keepRoomForYoung } from "./heap.ts";
import { doPart, type PartOrder } from "./rebuildpart.ts";
import type { ThreadAnswer } from "./rebuildthread.ts";
import { windowFile } from "./windowfile.ts";

/** A thread is worth its start for some 200,000 rows. */
const LOT_BYTES = 4 << 20;
/** What visitors and half-counted rows take is needed once a thread. */
const MAX_LOTS = 4;

/** How to fold the archive in `directory`, as `rebuild` wants it. */
export const foldInLots =
  (directory: string, lotBytes = LOT_BYTES) =>
  async (order: FoldOrder, progress: (rows: number) => void): Promise<FoldedRows> => {
    await using opened = new AsyncDisposableStack();
    // Ended first, as they write into what is opened.
    await using folding = new AsyncDisposableStack();
    await using adding = new AsyncDisposableStack();
    const folder = await workFolder(directory);
    opened.defer(() => rm(folder, { recursive: true, force: true }));
    const kept = await keepRows(directory, order.site.id, folder).catch((cause: unknown) => {
      throw asOutage(directory, cause);
    });
    const bytes = kept.files.reduce((sum, file) => sum + file.bytes, 0);
    const of = Math.min(availableParallelism(), MAX_LOTS, Math.max(1, Math.ceil(bytes / lotBytes)));
    // This thread waits from here on, or does all of it.
    keepRoomForYoung();
    const begin = (threads: AsyncDisposableStack): (typeof doPart)[] =>
      of === 1
        ? [doPart]
        : Array.from({ length: of }, () => {
            const thread = threads.use(new FoldThread());
            return (part, told) => thread.do(part, told);
          });
    let hands = begin(folding);
    const inParts = <T>(part: (number: number) => PartOrder, told?: (rows: number, number: number) => void) =>
      Promise.all(
        hands.map((hand, number) => hand(part(number), (rows) => told?.(rows, number)) as Promise<T>),
      );
    const { archivedFrom: from } = order;
    const looked = await inParts<Looked>((number) => ({
      look: { directory, files: kept.files.filter((_, i) => i % of === number), from },
    }));
    const survey = surveyOf(kept, looked, from);
    const lots = Array.from({ length: of }, (_, number) => join(folder, `lot-${number}.db`));
    const rows = new Array<number>(of).fill(0);
    const folded = await inParts<Folded>(
      (number) => ({
        fold: {
          directory,
          survey,
          folder,
          lot: { number, of },
          order: { ...order, since: survey.since },
          windows: lots[number]!,
        },
      }),
      (count, number) => {
        rows[number] = count;
        progress(rows.reduce((sum, one) => sum + one, 0));
      },
    );
    // What they held goes with them: it would be too much beside what adding up takes.
    await folding.disposeAsync();
    hands = begin(adding);
    const sums = lots.map((_, number) => join(folder, `sums-${number}.db`));
    await inParts((number) => ({ add: { lots, share: { number, of }, sums: sums[number]! } }));
    const files = sums.map((path) => opened.use(windowFile(path)));
    const held = opened.move();
    return { ...foldedOf(folded, files), [Symbol.asyncDispose]: () => held.disposeAsync() };
  };

/** A checkout has sources; a package what was compiled from them. */
const THREAD = new URL(`./rebuildthread.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);

class FoldThread implements AsyncDisposable {
  readonly #thread = new Worker(THREAD);

  /** One part at a time; as `doPart`. */
  do(order: PartOrder, progress: (rows: number) => void): ReturnType<typeof doPart> {
    const thread = this.#thread;
    return new Promise<Awaited<ReturnType<typeof doPart>>>((done, fail) => {
      thread.removeAllListeners().once("error", fail);
      thread.once("exit", (code) => fail(new Error(`a thread that folds the archive ended (${code})`)));
      thread.on("message", (answer: ThreadAnswer) => {
        if ("rows" in answer) progress(answer.rows);
        else if ("done" in answer) done(answer.done);
        else fail(answer.error);
      });
      thread.postMessage(order);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread.terminate();
  }
}
