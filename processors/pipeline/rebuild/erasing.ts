/**
 * What a rebuild on AWS does besides where rows are to be erased: it takes them out of the archive's objects. Another
 * execution can finish what one that failed has begun, since what has to be known of them is written down before.
 */
import type { ArchiveObjects } from "../../archives/objects.ts";
import type { EpochMs } from "../../model/time.ts";
import { type Erased, Erasure, type ErasureNotes } from "../erasure.ts";
import { bad } from "../fields.ts";
import { type Begun, type Erasing, isCounted, keyOfErasing, lotOf } from "./files.ts";
import { LeftObjects } from "./left.ts";

/** Steps as those of RebuildSteps: each may be called again. Both throw `bad_request` where nothing is to be erased. */
export class ErasingSteps {
  readonly #objects: ArchiveObjects;
  readonly #left: LeftObjects;

  constructor(objects: ArchiveObjects, run: string) {
    this.#objects = objects;
    this.#left = new LeftObjects(objects, run);
  }

  /** Writes down what has to be known of the rows that go, before the first of them is gone. */
  async noteErased(): Promise<void> {
    const { begun, site, erased } = await this.#begun();
    const { entries, fresh, hours } = await this.#left.erasures();
    const earliest = await earliestOf(this.#left, begun);
    const erasing: Erasing = {
      entries,
      fresh,
      hours: [...new Set(hours)],
      ...(earliest === Number.POSITIVE_INFINITY ? {} : { earliest }),
    };
    await this.#left.write(keyOfErasing(site, erased), erasing);
  }

  /**
   * Takes the rows that are to be erased out of the objects of a portion. What the edition in hand does not count stays:
   * it came later. An object that was deleted meanwhile is not made again.
   */
  async takeOut(portion: number): Promise<void> {
    const { begun, site, erased } = await this.#begun();
    const { portions } = await this.#left.plan();
    const erasure = new Erasure(erased, await this.#left.erasures());
    for (const key of portions[portion] ?? []) {
      const rows = await this.#left.archivedRows(key, site);
      const left = rows.flatMap((row) => erasure.rewritten(row) ?? (isCounted(row, begun) ? [] : row));
      if (left.length < rows.length || left.some((row, i) => row !== rows[i]))
        await this.#objects.writeRows(key, left);
    }
  }

  async #begun(): Promise<{ readonly begun: Begun; readonly site: string; readonly erased: Erased }> {
    const begun = await this.#left.begun();
    const { site, erased } = begun;
    if (!erased) return bad("erase: nothing is to be taken out");
    return { begun, site, erased };
  }
}

/** Event time of the earliest row; of before rows were taken out by an execution that failed. */
export async function earliestOf(left: LeftObjects, begun: Begun): Promise<EpochMs> {
  const [sorted, before] = [await left.sorted(), await left.erasing(begun)];
  return Math.min(sorted.earliest, before.earliest ?? sorted.earliest);
}

/** What was noted of the visitors of one lot; each note begins with its visitor. */
export function notesOf(lot: number, lots: number, { entries, fresh }: ErasureNotes): ErasureNotes {
  const isOwn = (note: string): boolean => lotOf({ visitor: note.slice(0, note.indexOf(" ")) }, lots) === lot;
  return { entries: entries.filter(([visit]) => isOwn(visit)), fresh: fresh.filter(isOwn) };
}
