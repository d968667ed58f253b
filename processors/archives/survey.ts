/**
 * What a local archive holds of a site at one moment, and where in its files which rows lie. The files stay as they are
 * for as long as the survey is used, whatever a running server merges or deletes meanwhile.
 */
import { copyFile, link, mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ClickstreamError } from "../errors.ts";
import { type CountedRow, compareRows } from "../model/archive.ts";
import type { EpochMs } from "../model/time.ts";
import type { Stretch } from "./columnrows.ts";
import type { Identity } from "./inorder.ts";
import { readJournal } from "./journals.ts";
import { journalFolder, placeOf, rowOf, siteFolder } from "./layout.ts";
import { sortedOnce } from "./order.ts";
import { parquetFiles } from "./parquetfiles.ts";
import { columnsIn, rowGroups } from "./parquetread.ts";

/** Plain data, for threads. */
export interface Survey {
  readonly site: string;
  /** Of its files, each with its first row. */
  readonly stretches: readonly (Stretch & { readonly first: Identity })[];
  /** What only journals held, in the order of the fold. */
  readonly fresh: readonly CountedRow[];
  /** Rows in files, and repeats of them. */
  readonly rows: number;
  /** By shard, when the first event that happened at `from` or later was received. */
  readonly since: ReadonlyMap<string, EpochMs>;
}

/** Looks at all rows of a site below `directory`. Names for its files are made in `folder`, which exists. Throws what the file system throws. */
export async function surveyRows(
  directory: string,
  site: string,
  folder: string,
  from: EpochMs = 0,
): Promise<Survey> {
  const since = new Map<string, EpochMs>();
  const see = (shard: string, at: EpochMs, receivedAt: EpochMs): void => {
    if (at >= from) since.set(shard, Math.min(since.get(shard) ?? receivedAt, receivedAt));
  };
  // Journals first: one that is made into a file meanwhile is then read twice, not missed.
  const fresh = await journalRows(directory, site);
  for (const { shard, at, received_at, rejected } of fresh)
    if (rejected === null) see(shard, at, received_at);
  const stretches: (Stretch & { readonly first: Identity })[] = [];
  let rows = 0;
  for (const path of await keptFiles(join(directory, siteFolder(site)), folder)) {
    for (const [group, rowGroup] of rowGroups(await readFile(path)).entries()) {
      rows += rowGroup.rows;
      const columns = columnsIn(rowGroup, LOOKED_AT) as unknown as LookedAt;
      const first = new Map<string, Identity>();
      for (let i = 0; i < rowGroup.rows; i++) {
        const [shard, sequence, index] = [columns.shard[i]!, columns.sequence[i]!, columns.index[i]!];
        const known = first.get(shard);
        // Rows of a record follow each other.
        if (known?.sequence !== sequence || index < known.index) {
          const own = { shard, sequence, index };
          if (!known || compareRows(own, known) < 0) first.set(shard, own);
        }
        if ((columns.rejected[i] ?? null) === null) see(shard, columns.at[i]!, columns.received_at[i]!);
      }
      for (const [shard, identity] of first) stretches.push({ path, group, shard, first: identity });
    }
  }
  return { site, stretches, fresh, rows, since };
}

const LOOKED_AT = ["shard", "sequence", "index", "at", "received_at", "rejected"] as const;
type LookedAt = { readonly [Name in (typeof LOOKED_AT)[number]]: ArrayLike<CountedRow[Name]> };

async function journalRows(directory: string, site: string): Promise<CountedRow[]> {
  const place = placeOf("site");
  const values = [];
  for (const name of (await readdir(journalFolder(directory)).catch(() => [])).sort()) {
    const rows = await readJournal(join(journalFolder(directory), name)).catch((error: unknown) => {
      // It became a file since it was listed.
      if (isGone(error)) return [];
      throw error;
    });
    for (const row of rows) if (row[place] === site) values.push(row);
  }
  return sortedOnce(values).map(rowOf);
}

const MAX_TRIES = 20;

/** A second name for every Parquet file of a site. */
async function keptFiles(files: string, folder: string): Promise<string[]> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const own = join(folder, `files-${tries}`);
    await mkdir(own, { mode: 0o700 });
    const kept: string[] = [];
    try {
      for (const path of await parquetFiles(files)) {
        const name = join(own, `${kept.length}.parquet`);
        await keep(path, name);
        kept.push(name);
      }
      return kept;
    } catch (error) {
      // It was merged with others since it was listed: what took its place may not have been listed.
      if (!isGone(error)) throw error;
    }
  }
  throw new ClickstreamError("unavailable", `${files}: files went faster than they could be listed`);
}

async function keep(path: string, name: string): Promise<void> {
  await link(path, name).catch((error: unknown) => {
    if (isGone(error)) throw error;
    // A file system without second names.
    return copyFile(path, name);
  });
}

const isGone = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";
