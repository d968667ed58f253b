/**
 * Lambda entry of the minute's work: notes how far the counts trail the stream, and folds commits into rollups when due.
 * Running twice, or at once, changes nothing.
 */
import type { Context } from "aws-lambda";
import { isCompactionDue } from "../pipeline/cadence.ts";
import { compact } from "../pipeline/compact.ts";
import { noteFreshness } from "../pipeline/freshness.ts";
import { clicks } from "./clicks.ts";
import { tell } from "./metrics.ts";
import { clock, sitesRegistered, store } from "./services.ts";

/** What the schedule sends; whoever calls the function by hand wants it done now. */
export interface Tick {
  readonly ifDue?: boolean;
}

/** A run takes a fraction of this; whoever has less left leaves the rest to the next minute. */
const RUN_MS = 30_000;

export async function handler(
  { ifDue = false }: Tick,
  context: Pick<Context, "getRemainingTimeInMillis">,
): Promise<{ runs: number; commits: number; items: number }> {
  // Here as well as in `aggregate`, so that a new site is on the dashboard before its first click.
  await sitesRegistered();
  const noted = noteFreshness({ store, stream: clicks, clock });
  noted.catch(() => {}); // it is told below: compaction does not depend on the stream
  const total = { runs: 0, commits: 0, items: 0 };
  let isMore = !ifDue || (await isCompactionDue({ store, clock }));
  while (isMore && (total.runs === 0 || context.getRemainingTimeInMillis() > RUN_MS)) {
    const { commits, items, more } = await compact({ store, clock });
    isMore = more;
    total.runs += 1;
    total.commits += commits;
    total.items += items;
  }
  const freshness = await noted;
  const waiting = Object.values(freshness?.waiting ?? {});
  // Nothing is told when a shard did not say: a missing value is no good news.
  if (freshness) tell({ Lag: freshness.at - Math.min(freshness.at, ...waiting) }, clock.now());
  return total;
}
