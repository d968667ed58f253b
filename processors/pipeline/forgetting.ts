/**
 * Has the workers forget the visits of those whose rows were taken out. What such a visit does next would be held against
 * counts that are gone, and name the page. It is a commit without records: whoever counts meanwhile loses the put of the
 * same number, reads the log, and goes on from there.
 */
import { VISIT_DIMENSIONS } from "../model/dimensions.ts";
import type { Clock } from "../model/time.ts";
import type { Store } from "../stores/store.ts";
import { conflicting } from "./change.ts";
import { appendCommit, encodeCommit, listShards, newestCommits } from "./commit.ts";
import type { Erased } from "./erasure.ts";
import { hash53 } from "./hash.ts";
import { holdsTotals } from "./import/totals.ts";
import { catchUp, loadState } from "./snapshots.ts";
import type { PastVisitors, Session, ShardState, StateChange, VisitorState } from "./state.ts";

const MAX_TRIES = 100;
const ENTRY = VISIT_DIMENSIONS.indexOf("visit:entry_page");

interface Deps {
  readonly store: Store;
  readonly clock: Clock;
}

/** Call when the rows are gone, and before what is left is counted again. Throws `unavailable` on an outage. */
export async function forgetErased(deps: Deps, site: string, erased: Erased): Promise<void> {
  for (const { id, closed } of await listShards(deps.store))
    if (!closed && !holdsTotals(id)) await forgetIn(deps, id, site, erased);
}

async function forgetIn({ store, clock }: Deps, shard: string, site: string, erased: Erased): Promise<void> {
  const loaded = await loadState(store, shard);
  if (!loaded) return;
  const { state } = loaded;
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const change = changeOf(state, site, erased);
    if (!change) return;
    const [newest] = await newestCommits(store, shard, 1);
    if (newest?.n === state.n) {
      const header = { from: state.to, committedAt: clock.now(), arrivedAt: newest.arrivedAt };
      if (await appendCommit(store, shard, change.n, encodeCommit(header, new Map(), change))) return;
    }
    await catchUp(store, shard, state);
  }
  throw conflicting(`log of ${shard}`, MAX_TRIES);
}

/** Undefined where nothing is to be forgotten. */
function changeOf(state: ShardState, site: string, erased: Erased): StateChange | undefined {
  const present = without(state, site, erased);
  const past = without(state.past, site, erased);
  if (present.visitors.size + past.visitors.size === 0) return undefined;
  const { to, watermark, counters } = state;
  return { n: state.n + 1, to, watermark, counters, batchIds: [], ...present, past };
}

/** Visitors who have lost rows, without visits: then their next row is one of somebody new, for a rebuild too. */
function without(known: PastVisitors, site: string, erased: Erased): PastVisitors {
  let { ordinal } = known;
  const visitors = new Map<string, VisitorState>();
  for (const [key, visitor] of known.visitors) {
    const isGone =
      "page" in erased
        ? key.startsWith(`${site}\u0000`) && visitor.sessions.some((session) => hasSeen(session, erased.page))
        : key === `${site}\u0000${erased.visitor}` && visitor.sessions.length > 0;
    // By a number of its own, or the next snapshot would pass it over.
    if (isGone) visitors.set(key, { ...visitor, sessions: [], ordinal: ++ordinal });
  }
  return { ordinal, visitors };
}

const hasSeen = ({ seen, exitPage, attributes }: Session, page: string): boolean =>
  exitPage === page ||
  attributes[ENTRY] === page ||
  seen.get(hash53(`event:page\u0000${page}`)) !== undefined;
