/** Deletes what the archive's bucket holds of hours that sites keep no longer. */
import type { BucketObjects } from "../archives/objects.ts";
import { partitionOf, rowsOfSite } from "../model/archive.ts";
import { type Clock, type EpochMs, HOUR_MS } from "../model/time.ts";
import type { Store } from "../stores/store.ts";
import { archiveNeededFrom } from "./expiry.ts";
import { listSites } from "./sites.ts";

export interface ArchiveExpiryDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly objects: Pick<BucketObjects, "list" | "folders" | "delete">;
}

/**
 * Answers how many objects are gone. Answers of the API have left them out for an hour. Safe to run at any time, by several
 * at once, and to abandon anywhere. Throws what the store and the bucket throw: run again.
 */
export async function deleteExpiredObjects({ store, clock, objects }: ArchiveExpiryDeps): Promise<number> {
  let deleted = 0;
  for (const [site, from] of archiveNeededFrom(await listSites(store), clock.now())) {
    const { dt } = partitionOf(from);
    for (const day of await objects.folders(rowsOfSite(site))) {
      // Named by UTC's days; the site's own may begin in the middle of one.
      if (dayOf(day) > dt) continue;
      const keys = (await objects.list(day)).map(({ key }) => key).filter((key) => hourEnd(key) <= from);
      await objects.delete(keys);
      deleted += keys.length;
    }
  }
  return deleted;
}

/** What is not named as the archive's folders are is nobody's to delete: it sorts behind every day. */
const dayOf = (folder: string): string => /\/dt=(\d{4}-\d\d-\d\d)\/$/.exec(folder)?.[1] ?? "~";

function hourEnd(key: string): EpochMs {
  const [, dt, hour] = /\/dt=(\d{4}-\d\d-\d\d)\/hour=(\d\d)\/[^/]+$/.exec(key) ?? [];
  const start = Date.parse(`${dt}T${hour}:00:00Z`);
  return Number.isNaN(start) ? Number.POSITIVE_INFINITY : start + HOUR_MS;
}
