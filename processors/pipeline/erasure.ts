/** What an archive is without one visitor or one page. Changes no file and no rollup. */
import type { ArchivedRows } from "../archives/archive.ts";
import type { CountedRow } from "../model/archive.ts";
import type { EpochMs } from "../model/time.ts";
import { hourStart } from "../model/zone.ts";
import type { Site } from "./sites.ts";

/** One of the two: whose rows go, by their pseudonym, or those of which page. */
export type Erased = { readonly visitor: string } | { readonly page: string };

export const isErased = (row: Pick<CountedRow, "visitor" | "page">, erased: Erased): boolean =>
  "visitor" in erased ? row.visitor === erased.visitor : row.page === erased.page;

/** How rows that stay change, as plain data. */
export interface ErasureNotes {
  /** Visits, each with the page that it enters on. */
  readonly entries: readonly (readonly [visit: string, page: string])[];
  /** Visitors, each with a record in which they are new. */
  readonly fresh: readonly string[];
}

export const NO_NOTES: ErasureNotes = { entries: [], fresh: [] };

const visitOf = ({ visitor, visit }: CountedRow): string => `${visitor} ${visit}`;
const recordOf = ({ visitor, sequence }: CountedRow): string => `${visitor} ${sequence}`;

/**
 * Rows without those that go, as if they had never been: a visit that began with one enters on its next page, and
 * whoever was new with one is new with their next row. Without that, nobody could tell them from somebody whose earlier
 * rows are not archived.
 */
export class Erasure {
  readonly #erased: Erased;
  readonly #entries: Map<string, string>;
  readonly #fresh: Set<string>;
  /** Visitors who were new with a row that goes, and have no row that stays yet. */
  readonly #orphans = new Set<string>();

  /** `notes`: what another has noted of the same visitors. */
  constructor(erased: Erased, { entries, fresh }: ErasureNotes = NO_NOTES) {
    this.#erased = erased;
    this.#entries = new Map(entries);
    this.#fresh = new Set(fresh);
  }

  /** The row as it will be, undefined if it goes. Takes all rows of a visitor, in the order of the fold, and notes what changes. */
  next<Row extends CountedRow>(row: Row): Row | undefined {
    const visitor = `${row.visitor} ${row.imported}`;
    if (isErased(row, this.#erased)) {
      if (row.fresh) this.#orphans.add(visitor);
      return undefined;
    }
    const isOrphan = this.#orphans.delete(visitor);
    if (isOrphan && !row.fresh) this.#fresh.add(recordOf(row));
    if (this.#hasLostEntry(row) && !this.#entries.has(visitOf(row)))
      this.#entries.set(visitOf(row), row.page ?? "");
    return this.rewritten(row);
  }

  /** The same in any order, once it is noted; a row that does not change is the same object. */
  rewritten<Row extends CountedRow>(row: Row): Row | undefined {
    if (isErased(row, this.#erased)) return undefined;
    const entry = this.#hasLostEntry(row) ? this.#entries.get(visitOf(row)) : undefined;
    const isFresh = !row.fresh && this.#fresh.size > 0 && this.#fresh.has(recordOf(row));
    if (entry === undefined && !isFresh) return row;
    return {
      ...row,
      ...(entry === undefined ? {} : { visit_entry_page: entry }),
      ...(isFresh ? { fresh: true } : {}),
    };
  }

  get notes(): ErasureNotes {
    return { entries: [...this.#entries], fresh: [...this.#fresh] };
  }

  #hasLostEntry(row: CountedRow): boolean {
    return "page" in this.#erased && row.visit_entry_page === this.#erased.page;
  }
}

/** The archive as it will be. `notes`: of rows that are gone already. */
export function withoutErased(archive: ArchivedRows, erased: Erased, notes = NO_NOTES): ArchivedRows {
  return {
    async *read(site) {
      const erasure = new Erasure(erased, notes);
      for await (const rows of archive.read(site)) yield rows.flatMap((row) => erasure.next(row) ?? []);
    },
  };
}

/** What an erasure has to know of the rows that it takes out, before the first of them is gone. */
export interface ErasureTrace {
  /** When the earliest row of the site happened; infinite where there is none. */
  readonly archivedSince: EpochMs;
  /** Those that rows to be erased are of. */
  readonly hours: ReadonlySet<EpochMs>;
  readonly notes: ErasureNotes;
}

export const NO_TRACE: ErasureTrace = {
  archivedSince: Number.POSITIVE_INFINITY,
  hours: new Set(),
  notes: NO_NOTES,
};

/** Looks for it in an archive. `before`: what was found when some of the rows were taken out, or all. */
export async function traceOf(
  archive: ArchivedRows,
  { id, timeZone }: Pick<Site, "id" | "timeZone">,
  erased: Erased,
  before = NO_TRACE,
): Promise<ErasureTrace> {
  let { archivedSince } = before;
  const hours = new Set(before.hours);
  const erasure = new Erasure(erased, before.notes);
  for await (const rows of archive.read(id))
    for (const row of rows) {
      archivedSince = Math.min(archivedSince, row.at);
      if (!erasure.next(row)) hours.add(hourStart(timeZone, row.at));
    }
  return { archivedSince, hours, notes: erasure.notes };
}
