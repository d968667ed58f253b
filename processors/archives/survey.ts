/**
 * What a local archive holds of a site at one moment, and where in its files which rows lie. The files stay as they are
 * for as long as the survey is used, whatever a running server merges or deletes meanwhile.
 */
import { copyFile, link, mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { ClickstreamError } from "../errors.ts";
import { type CountedRow, compareRows } from "../model/archive.ts";
import type { EpochMs } from "../model/time.ts";
import { namesIn } from "./folder.ts";
import type { Identity } from "./inorder.ts";
import { readJournal } from "./journals.ts";
import { journalFolder, siteFolder } from "./layout.ts";
import { sortedOnce } from "./order.ts";
import { parquetFiles, readable } from "./parquetfiles.ts";
import { columnsIn, rowGroups } from "./parquetread.ts";
import type { Stretch } from "./stretch.ts";
import { placeOf, rowOf } from "./values.ts";

/** What there is to survey. Plain data, for threads, as all that follows. */
export interface Kept {
  readonly site: string;
  /** Its files under names of their own, how long they are, and where they came from. */
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly source: string }[];
  /** What only journals held, in the order of the fold. */
  readonly fresh: readonly CountedRow[];
}

/** What some of the files hold. */
export interface Looked {
  /** Each with its first row. */
  readonly stretches: readonly (Stretch & { readonly first: Identity })[];
  /** By shard, when the first event that happened at a time or later was received. */
  readonly since: ReadonlyMap<string, EpochMs>;
}

export interface Survey extends Looked {
  readonly site: string;
  readonly fresh: readonly CountedRow[];
}

/** Keeps what there is of a site below `directory`; its names for files are made in `folder`, which exists. Throws what the file system throws. */
export async function keepRows(directory: string, site: string, folder: string): Promise<Kept> {
  // Journals first: one that is made into a file meanwhile is then read twice, not missed.
  const fresh = await journalRows(directory, site);
  return { site, files: await keptFiles(join(directory, siteFolder(site)), folder), fresh };
}

/** Looks at all rows of some files; `from`, of whose time `since` is. Throws `unavailable` with the file that cannot be read. */
export async function lookAt(files: Kept["files"], from: EpochMs): Promise<Looked> {
  const since = new Earliest();
  const stretches: (Stretch & { readonly first: Identity })[] = [];
  for (const { path, source } of files) {
    const bytes = await readFile(path);
    for (const [group, rowGroup] of (await readable(source, () => rowGroups(bytes))).entries()) {
      const read = await readable(source, () => columnsIn(rowGroup, LOOKED_AT));
      const columns = read as unknown as LookedAt;
      const first = new Map<string, Identity>();
      for (let i = 0; i < rowGroup.rows; i++) {
        const [shard, sequence, index] = [columns.shard[i]!, columns.sequence[i]!, columns.index[i]!];
        const known = first.get(shard);
        // Rows of a record follow each other.
        if (known?.sequence !== sequence || index < known.index) {
          const own = { shard, sequence, index };
          if (!known || compareRows(own, known) < 0) first.set(shard, own);
        }
        if ((columns.rejected[i] ?? null) === null && columns.at[i]! >= from)
          since.see(shard, columns.received_at[i]!);
      }
      for (const [shard, identity] of first) stretches.push({ path, group, shard, first: identity });
    }
  }
  return { stretches, since: since.times };
}

/** Puts together what was looked at part by part, and what journals held. */
export function surveyOf({ site, fresh }: Kept, parts: readonly Looked[], from: EpochMs): Survey {
  const since = new Earliest();
  for (const { shard, at, received_at, rejected } of fresh)
    if (rejected === null && at >= from) since.see(shard, received_at);
  for (const part of parts) for (const [shard, at] of part.since) since.see(shard, at);
  return { site, fresh, stretches: parts.flatMap(({ stretches }) => stretches), since: since.times };
}

class Earliest {
  readonly times = new Map<string, EpochMs>();

  see(shard: string, at: EpochMs): void {
    const known = this.times.get(shard);
    if (known === undefined || at < known) this.times.set(shard, at);
  }
}

/** All of that in this thread. */
export async function surveyRows(
  directory: string,
  site: string,
  folder: string,
  from: EpochMs = 0,
): Promise<Survey> {
  const kept = await keepRows(directory, site, folder);
  return surveyOf(kept, [await lookAt(kept.files, from)], from);
}

const LOOKED_AT = ["shard", "sequence", "index", "at", "received_at", "rejected"] as const;
type LookedAt = { readonly [Name in (typeof LOOKED_AT)[number]]: ArrayLike<CountedRow[Name]> };

async function journalRows(directory: string, site: string): Promise<CountedRow[]> {
  const place = placeOf("site");
  const values = [];
  for (const name of await namesIn(journalFolder(directory))) {
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
async function keptFiles(files: string, folder: string): Promise<Kept["files"]> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const own = join(folder, `files-${tries}`);
    await mkdir(own, { mode: 0o700 });
    const kept: Kept["files"][number][] = [];
    try {
      for (const path of await parquetFiles(files)) {
        const name = join(own, `${kept.length}.parquet`);
        await keep(path, name);
        kept.push({ path: name, bytes: (await stat(name)).size, source: path });
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
