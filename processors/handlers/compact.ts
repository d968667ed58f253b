/** Lambda entry of the minute's compaction: folds new commits into rollups. Running twice, or at once, changes nothing. */
import { compact } from "../pipeline/compact.ts";
import { clock, sitesRegistered, store } from "./services.ts";

export async function handler(): Promise<{ commits: number; items: number }> {
  // Here as well as in `aggregate`, so that a new site is on the dashboard before its first click.
  await sitesRegistered();
  return compact({ store, clock });
}
