/**
 * Makes a site's rollups again from the archive, as another edition beside the one that readers read, compares the two
 * and switches in one write. What is committed meanwhile goes into both. Dying anywhere leaves the current edition as it
 * is; the next rebuild gives up what was begun.
 */
import type { ArchivedRows } from "../../archives/archive.ts";
import { ClickstreamError } from "../../errors.ts";
import { type Clock, DAY_MS, type EpochMs } from "../../model/time.ts";
import { hourStart } from "../../model/zone.ts";
import type { Store } from "../../stores/store.ts";
import { listShards } from "../commit.ts";
import { compactAll } from "../compact.ts";
import { giveUpEdition, readEdition } from "../editions.ts";
import { archiveFrom, hoursNeededFrom, minuteExpiry, minutesFrom } from "../expiry.ts";
import { copyItem, type FoldTerms, foldBase } from "../folding.ts";
import { instantKey, partition } from "../rollups.ts";
import { listSites, type Site } from "../sites.ts";
import { compareChanges, type WindowChange } from "./change.ts";
import {
  addUntold,
  type Begun,
  beginRebuild,
  compareWindow,
  endRebuild,
  endsOf,
  foldCommits,
  keysOf,
  markAllDerived,
} from "./edition.ts";
import { type FoldedRows, type FoldedWindows, type FoldOrder, foldInMemory } from "./foldrows.ts";
import { type Gone, hoursWithErased } from "./remaining.ts";

export interface RebuildOrder {
  readonly site: string;
  /**
   * Windows that begin in here are replaced. Default: all that the archive tells all of. What an archive with a limit
   * keeps no longer, and the day after, in which visits may have gone on, are left as they are.
   */
  readonly from?: EpochMs;
  readonly to?: EpochMs;
  /** Compare, and keep what is. */
  readonly isTrial?: boolean;
  /** Event time of the archive's earliest row, where rows were taken out of it since. Default: of those that are read. */
  readonly archivedSince?: EpochMs;
  /** What rows were taken out of it, and of which hours. */
  readonly gone?: Gone;
}

export interface RebuildReport {
  readonly rows: number;
  /** Windows made again, minutes and hours. */
  readonly windows: number;
  readonly changes: readonly WindowChange[];
  /** Hours that the archive does not tell all of, because it began later or was off: they stay as they are. */
  readonly incomplete: readonly EpochMs[];
  /** Of these, and of those that the archive keeps no longer: hours that still count what was taken out. */
  readonly stillCounted: readonly EpochMs[];
  readonly isSwitched: boolean;
}

export interface RebuildDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly archive: ArchivedRows;
  /** Folds the rows of the archive, `progress` being told how many so far. Default: in this thread, and in memory. */
  readonly fold?: (order: FoldOrder, progress: (rows: number) => void) => Promise<FoldedRows>;
  /** Told of the edition that was begun: whoever is stopped in the middle gives it up. */
  readonly onBegun?: (space: string) => void;
}

/** Throws `not_found` for a site that was never registered, `unavailable` on an outage: run it again. */
export async function rebuild(
  deps: RebuildDeps,
  order: RebuildOrder,
  progress: (rows: number) => void = () => {},
): Promise<RebuildReport> {
  const { store, clock } = deps;
  const { site } = order;
  const known = (await listSites(store)).find(({ id }) => id === site);
  if (!known) throw new ClickstreamError("not_found", `site "${site}" is not registered`);
  const begun = await beginRebuild(store, clock, site);
  deps.onBegun?.(begun.space);
  try {
    return await makeAgain(deps, order, { known, ...begun }, progress);
  } catch (error) {
    // Else all that is committed would go into it too, until somebody rebuilds the site. If this fails as well, it does.
    await giveUpEdition(store, clock, site, begun.space).catch(() => {});
    throw error;
  }
}

async function makeAgain(
  { store, clock, archive, fold = (order, told) => foldInMemory(archive, order, told) }: RebuildDeps,
  { site, from = 0, to = Number.POSITIVE_INFINITY, isTrial = false, archivedSince, gone }: RebuildOrder,
  { known, space, after }: Begun & { readonly known: Site },
  progress: (rows: number) => void,
): Promise<RebuildReport> {
  const { space: current } = await readEdition(store, site);
  const zone = known.timeZone;
  const now = clock.now();
  const archivedFrom = archiveFrom(known, now);
  const madeFrom = archivedFrom === 0 ? from : Math.max(from, archivedFrom + DAY_MS);
  const expired = { minute: minutesFrom(known, now), hour: hoursNeededFrom(known, now) };
  const ends = await endsOf(store, after);
  await using folded = await fold(
    {
      site: known,
      shards: await listShards(store),
      ends: new Map([...ends].map(([shard, { to: last }]) => [shard, last])),
      archivedFrom,
      now,
    },
    progress,
  );
  const { hours, minutes } = folded;
  const earliest = Math.min(archivedSince ?? Number.POSITIVE_INFINITY, folded.earliest);
  const incomplete = new Set(folded.incomplete);
  const told = new Set([...hours.keys(), ...(gone?.hours ?? [])]);
  const begin = await addUntold(store, { current, site, zone, earliest, told }, incomplete);
  const isMadeAgain = (start: EpochMs): boolean =>
    start >= madeFrom &&
    start < to &&
    !incomplete.has(hourStart(zone, start)) &&
    hourStart(zone, start) >= begin;
  const put = (granularity: "minute" | "hour", windows: FoldedWindows): Promise<Made[]> =>
    putWindows(store, {
      granularity,
      windows,
      current,
      space,
      isMadeAgain,
      keptFrom: expired[granularity],
      termsOf: (start) => ({
        now,
        expiresAt: granularity === "minute" ? minuteExpiry(known, start) : undefined,
      }),
    });
  const made = [...(await put("minute", minutes)), ...(await put("hour", hours))];
  await markAllDerived(store, space, zone);
  await foldCommits(store, clock);
  const changes: WindowChange[] = [];
  for (const window of made) {
    const change = await compareWindow(store, clock, { current, space }, window);
    if (change) changes.push(change);
  }
  changes.sort(compareChanges);
  const stillCounted = gone ? await hoursWithErased(store, space, gone, (hour) => !isMadeAgain(hour)) : [];
  // Nobody asks for the days of what is given up.
  if (!isTrial) await compactAll({ store, clock });
  await endRebuild(store, clock, { site, space, changes, isSwitch: !isTrial, isErasure: gone !== undefined });
  return {
    rows: folded.rows,
    windows: made.length,
    changes,
    incomplete: [...incomplete].filter((hour) => hour >= from && hour < to).sort((a, b) => a - b),
    stillCounted,
    isSwitched: !isTrial,
  };
}

/** A window that was made again. */
type Made = Pick<WindowChange, "granularity" | "start">;

/** Puts the minutes or hours of a new edition: those that are made again, which it answers, and copies of all others that are kept. */
async function putWindows(
  store: Store,
  {
    granularity,
    windows,
    current,
    space,
    isMadeAgain,
    keptFrom,
    termsOf,
  }: {
    readonly granularity: Made["granularity"];
    /** As they were folded. */
    readonly windows: FoldedWindows;
    readonly current: string;
    readonly space: string;
    readonly isMadeAgain: (start: EpochMs) => boolean;
    readonly keptFrom: EpochMs;
    readonly termsOf: (start: EpochMs) => FoldTerms;
  },
): Promise<Made[]> {
  const [from, to] = [partition(granularity, current), partition(granularity, space)];
  const starts = new Set(windows.keys());
  for await (const sk of keysOf(store, from)) {
    const start = Number(sk);
    if (start < keptFrom) continue;
    if (isMadeAgain(start)) starts.add(start);
    else await copyItem(store, from, to, sk);
  }
  const made: Made[] = [];
  for (const start of starts) {
    if (!isMadeAgain(start) || start < keptFrom) continue;
    made.push({ granularity, start });
    const bytes = windows.get(start);
    if (bytes) await foldBase(store, { pk: to, sk: instantKey(start) }, bytes, termsOf(start));
  }
  return made;
}
