/** Lambda entry of the minute's compaction: folds new commits into rollups. Running twice, or at once, changes nothing. */
import type { Context } from "aws-lambda";
import { compact } from "../pipeline/compact.ts";
import { clock, sitesRegistered, store } from "./services.ts";

/** A run takes a fraction of this; whoever has less left leaves the rest to the next minute. */
const RUN_MS = 30_000;

export async function handler(
  _event: unknown,
  context: Pick<Context, "getRemainingTimeInMillis">,
): Promise<{ runs: number; commits: number; items: number }> {
  // Here as well as in `aggregate`, so that a new site is on the dashboard before its first click.
  await sitesRegistered();
  const total = { runs: 0, commits: 0, items: 0 };
  for (let isMore = true; isMore && (total.runs === 0 || context.getRemainingTimeInMillis() > RUN_MS); ) {
    const { commits, items, more } = await compact({ store, clock });
    isMore = more;
    total.runs += 1;
    total.commits += commits;
    total.items += items;
  }
  return total;
}
