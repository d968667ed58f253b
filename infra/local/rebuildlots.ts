/** Folds an archive again on all processors: each thread takes a lot of the visitors, and the windows of all are added up. */
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { siteFolder, temporaryFolder } from "../../processors/archives/layout.ts";
import { parquetFiles } from "../../processors/archives/parquetfiles.ts";
import { firstReceived } from "../../processors/archives/rows.ts";
import {
  addLots,
  type Folded,
  type FoldedRows,
  type FoldOrder,
} from "../../processors/pipeline/rebuildfold.ts";
import { keepRoomForYoung } from "./heap.ts";
import type { ThreadAnswer, ThreadOrder } from "./rebuildthread.ts";
import { windowFile } from "./windowfile.ts";

/** A thread is worth its start for some 200,000 rows. */
const LOT_BYTES = 4 << 20;
/** What visitors and half-counted rows take is needed once a thread. */
const MAX_LOTS = 4;

/** How to fold the archive in `directory`, as `rebuild` wants it. */
export const foldInLots =
  (directory: string) =>
  async (order: FoldOrder, progress: (rows: number) => void): Promise<FoldedRows> => {
    const of = Math.min(
      availableParallelism(),
      MAX_LOTS,
      Math.max(1, await lotsOf(directory, order.site.id)),
    );
    const since = await firstReceived(directory, order.site.id, order.archivedFrom);
    // This thread waits from here on.
    keepRoomForYoung();
    const folder = join(temporaryFolder(directory), `rebuild-${randomBytes(8).toString("hex")}`);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    using opened = new DisposableStack();
    opened.defer(() => rmSync(folder, { recursive: true, force: true }));
    const paths = Array.from({ length: of }, (_, number) => join(folder, `${number}.db`));
    const rows = new Array<number>(of).fill(0);
    const folded = await Promise.all(
      paths.map((windows, number) =>
        foldLot({ directory, lot: { number, of }, order: { ...order, since }, windows }, (count) => {
          rows[number] = count;
          progress(rows.reduce((sum, one) => sum + one, 0));
        }),
      ),
    );
    const lots = folded.map((lot, number) => ({ ...lot, ...opened.use(windowFile(paths[number]!)) }));
    const kept = opened.move();
    return { ...addLots(lots), [Symbol.dispose]: () => kept.dispose() };
  };

async function lotsOf(directory: string, site: string): Promise<number> {
  let bytes = 0;
  for (const path of await parquetFiles(join(directory, siteFolder(site)))) bytes += (await stat(path)).size;
  return Math.ceil(bytes / LOT_BYTES);
}

/** A checkout has sources; a package what was compiled from them. */
const THREAD = new URL(`./rebuildthread.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);

function foldLot(order: ThreadOrder, progress: (rows: number) => void): Promise<Folded> {
  const thread = new Worker(THREAD, { workerData: order });
  return new Promise<Folded>((done, fail) => {
    thread.once("error", fail);
    thread.once("exit", (code) => fail(new Error(`a thread that folds the archive ended (${code})`)));
    thread.on("message", (answer: ThreadAnswer) => {
      if ("rows" in answer) progress(answer.rows);
      else if ("folded" in answer) done(answer.folded);
      else fail(answer.error);
    });
  }).finally(() => thread.terminate());
}
