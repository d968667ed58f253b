/** Where the local archive keeps what: journals of rows as they came, and Parquet files by site and hour. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { partitionOf } from "../model/archive.ts";
import { HOUR_MS } from "../model/time.ts";
import { placeOf, type Values } from "./values.ts";

export const journalFolder = (directory: string): string => join(directory, "journal");
export const temporaryFolder = (directory: string): string => join(directory, "tmp");

/** A file name holds 255 bytes. */
const MAX_SITE_CHARS = 180;

/** Folder of a site: its id, escaped as in a URL; a very long one is cut and told apart by its hash. */
export function siteFolder(site: string): string {
  const escaped = encodeURIComponent(site);
  if (escaped.length <= MAX_SITE_CHARS) return `site=${escaped}`;
  const hash = createHash("sha256").update(site).digest("hex").slice(0, 16);
  return `site=${escaped.slice(0, MAX_SITE_CHARS)}~${hash}`;
}

/** `site=ID/dt=YYYY-MM-DD/hour=HH`, by event time in UTC. */
export function partitionFolder(site: string, at: number): string {
  const { dt, hour } = partitionOf(at);
  return join(siteFolder(site), `dt=${dt}`, `hour=${hour}`);
}

/** When the hour of a partition's folder begins. Throws for a path that is none. */
export function hourOfFolder(folder: string): number {
  const [, dt, hour] = /dt=(\d{4}-\d\d-\d\d)[/\\]hour=(\d\d)$/.exec(folder) ?? [];
  const at = Date.parse(`${dt}T${hour}:00:00Z`);
  if (Number.isNaN(at)) throw new RangeError(`${folder} is no folder of an hour, as dt=2026-11-23/hour=07`);
  return at;
}

const SITE = placeOf("site");
const AT = placeOf("at");

/** Rows by the folder of their site and hour. Its name is made once an hour: making it takes longer than the rest of a row. */
export function byFolder(
  rows: readonly Values[],
  folderOf: (site: string, at: number) => string = partitionFolder,
): Map<string, Values[]> {
  const folders = new Map<string, Values[]>();
  for (const [site, own] of Map.groupBy(rows, (row) => row[SITE] as string))
    for (const [hour, values] of Map.groupBy(own, (row) => Math.floor((row[AT] as number) / HOUR_MS)))
      folders.set(folderOf(site, hour * HOUR_MS), values);
  return folders;
}
