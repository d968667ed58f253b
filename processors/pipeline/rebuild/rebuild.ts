/**
 * Makes a site's rollups again from the archive, as another edition beside the one that readers read, compares the two
 * and switches in one write. What is committed meanwhile goes into both. Dying anywhere leaves the current edition as it
 * is; the next rebuild gives up what was begun.
 */
import type { ArchivedRows } from "../../archives/archive.ts";
import { ClickstreamError } from "../../errors.ts";
import { Rollup } from "../../model/rollup.ts";
import { type Clock, DAY_MS, type EpochMs } from "../../model/time.ts";
import { hourEnd, hourStart, type LocalDate, localDate } from "../../model/zone.ts";
import type { Item, Store } from "../../stores/store.ts";
import { type CommitHeader, listShards, readCommits } from "../commit.ts";
import { compactAll } from "../compact.ts";
import { readCursors, touchCursors } from "../cursors.ts";
import { beginEdition, giveUpEdition, readEdition, switchEdition } from "../editions.ts";
import { archiveFrom, hoursNeededFrom, minuteExpiry, minutesFrom } from "../expiry.ts";
import { copyItem, type FoldTerms, foldBase } from "../folding.ts";
import { hoursOfTotals } from "../import/totals.ts";
import { noteRebuilt } from "../ledger.ts";
import { appliedOf, decodeItem, instantKey, packedOf, partition } from "../rollups.ts";
import { listSites, type Site } from "../sites.ts";
import { markDerived } from "../stale.ts";
import { areEqual, compareChanges, differenceOf, type WindowChange } from "./change.ts";
import { type FoldedRows, type FoldedWindows, type FoldOrder, foldInMemory } from "./foldrows.ts";

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
  /** Hours that rows were taken out of. */
  readonly emptied?: ReadonlySet<EpochMs>;
}

export interface RebuildReport {
  readonly rows: number;
  /** Windows made again, minutes and hours. */
  readonly windows: number;
  readonly changes: readonly WindowChange[];
  /** Hours that the archive does not tell all of, because it began later or was off: they stay as they are. */
  readonly incomplete: readonly EpochMs[];
  readonly isSwitched: boolean;
}

const MAX_TRIES = 20;

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
  {
    site,
    from = 0,
    to = Number.POSITIVE_INFINITY,
    isTrial = false,
    archivedSince,
    emptied = new Set(),
  }: RebuildOrder,
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
  const told = new Set([...hours.keys(), ...emptied]);
  const begin = await addUntold(store, { current, site, zone, earliest, told }, incomplete);
  const isMadeAgain = (start: EpochMs): boolean =>
    start >= madeFrom &&
    start < to &&
    !incomplete.has(hourStart(zone, start)) &&
    hourStart(zone, start) >= begin;
  const put = (granularity: "minute" | "hour", windows: FoldedWindows): Promise<Made[]> =>
    putWindows(store, {
      ...{ granularity, windows, current, space, isMadeAgain },
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
  // Nobody asks for the days of what is given up.
  if (!isTrial) await compactAll({ store, clock });
  await endRebuild(store, clock, { site, space, changes, isSwitch: !isTrial });
  return {
    rows: folded.rows,
    windows: made.length,
    changes,
    incomplete: [...incomplete].filter((hour) => hour >= from && hour < to).sort((a, b) => a - b),
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

/** Days may have been derived while their hours were still being written. */
export async function markAllDerived(store: Store, space: string, zone: string): Promise<void> {
  const dates = new Set<LocalDate>();
  for await (const sk of keysOf(store, partition("hour", space))) dates.add(localDate(zone, Number(sk)));
  await markDerived(store, space, dates);
}

/** Switches to an edition that was made, or gives it up. Throws `unavailable` if another rebuild took its place. */
export async function endRebuild(
  store: Store,
  clock: Clock,
  {
    site,
    space,
    changes,
    isSwitch,
  }: {
    readonly site: string;
    readonly space: string;
    readonly changes: readonly WindowChange[];
    readonly isSwitch: boolean;
  },
): Promise<void> {
  if (!isSwitch) return giveUpEdition(store, clock, site, space);
  const minutes = changes.filter(({ granularity }) => granularity === "minute");
  if (minutes.length > 0)
    await noteRebuilt(
      store,
      clock,
      site,
      minutes.map(({ start }) => start),
    );
  if (!(await switchEdition(store, clock, site, space)))
    throw new ClickstreamError(
      "unavailable",
      `site ${site}: another rebuild began meanwhile, and this one switched nothing: run it again when that is over`,
    );
}

/**
 * Adds the hours of an edition that the archive does not tell all of, since it began later, was off for a while, or the log
 * that was imported is not in it: nothing must not take the place of counts. `earliest`: event time of its first row,
 * infinite where there is none. `told`: hours that rows are of, or were before they were taken out. Resolves with the start
 * of its first hour.
 */
export async function addUntold(
  store: Store,
  {
    current,
    site,
    zone,
    earliest,
    told,
  }: {
    readonly current: string;
    readonly site: string;
    readonly zone: string;
    readonly earliest: EpochMs;
    readonly told: ReadonlySet<EpochMs>;
  },
  incomplete: Set<EpochMs>,
): Promise<EpochMs> {
  const begin = earliest === Number.POSITIVE_INFINITY ? earliest : hourStart(zone, earliest);
  const { next } = await readEdition(store, site);
  const isBefore = (item: Item): boolean =>
    [...appliedOf(item)].every(([shard, n]) => n <= (next?.after[shard] ?? 0));
  const totals = await hoursOfTotals(store, site);
  for (const hour of totals) incomplete.add(hour);
  for await (const item of itemsOf(store, partition("hour", current))) {
    const hour = Number(item.sk);
    if (hour < begin) incomplete.add(hour);
    else if (!told.has(hour) && !totals.has(hour) && isBefore(item)) {
      incomplete.add(hour);
      // It went off and on again within an hour.
      for (const beside of [hourStart(zone, hour - 1), hourEnd(zone, hour)])
        if (told.has(beside)) incomplete.add(beside);
    }
  }
  // What came in the archive's first hour, but before it, is in no row either.
  if (incomplete.size > 0 && [...incomplete].some((hour) => hour < begin)) incomplete.add(begin);
  return begin;
}

/** Without days and months, which take much longer. */
const foldCommits = (store: Store, clock: Clock): Promise<void> =>
  compactAll({ store, clock, leavesAll: true });

const ITEMS_AT_ONCE = 200;

/** Items of a partition, those after `after`, a few at a time: years of them do not fit in memory at once. */
async function* itemsOf(store: Store, pk: string, after = ""): AsyncGenerator<Item> {
  for (let from = after && `${after} `; ; ) {
    const items = await store.list(pk, { from, limit: ITEMS_AT_ONCE });
    yield* items;
    const last = items.at(-1);
    if (!last || items.length < ITEMS_AT_ONCE) return;
    from = `${last.sk} `;
  }
}

/** Their sort keys. */
export async function* keysOf(store: Store, pk: string, after = ""): AsyncGenerator<string> {
  for await (const { sk } of itemsOf(store, pk, after)) yield sk;
}

/** An edition that was begun, and the commits after which others fold into it. */
interface Begun {
  readonly space: string;
  readonly after: ReadonlyMap<string, number>;
}

/**
 * Begins an edition after which commits no cursor has moved: what is committed later is folded into it by everybody who
 * compacts, what came before is ours.
 */
export async function beginRebuild(store: Store, clock: Clock, site: string): Promise<Begun> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    await compactAll({ store, clock });
    const after = await readCursors(store);
    const space = await beginEdition(store, clock, site, Object.fromEntries(after));
    const touched = await touchCursors(store);
    if ([...touched].every(([shard, n]) => n === (after.get(shard) ?? 0))) return { space, after };
  }
  throw new ClickstreamError("unavailable", `site ${site}: commits came faster than a rebuild could begin`);
}

/** Where commit n of each shard ends, as a sequence number, and when it was written. */
export async function endsOf(
  store: Store,
  after: ReadonlyMap<string, number>,
): Promise<Map<string, Pick<CommitHeader, "to" | "committedAt">>> {
  const ends = new Map<string, Pick<CommitHeader, "to" | "committedAt">>();
  for (const [shard, n] of after) {
    if (n === 0) continue;
    const [commit] = await readCommits(store, shard, n - 1, 1);
    if (commit?.n !== n)
      throw new ClickstreamError("unavailable", `commit ${n} of shard ${shard} is gone: begin again`);
    ends.set(shard, { to: commit.to, committedAt: commit.committedAt });
  }
  return ends;
}

/** Compares one window of two editions when both hold the same commits. */
export async function compareWindow(
  store: Store,
  clock: Clock,
  { current, space }: { readonly current: string; readonly space: string },
  { granularity, start }: { readonly granularity: "minute" | "hour"; readonly start: EpochMs },
): Promise<WindowChange | undefined> {
  const sk = instantKey(start);
  for (let tries = 0; ; tries++) {
    const [live, rebuilt] = await store.getMany([
      { pk: partition(granularity, current), sk },
      { pk: partition(granularity, space), sk },
    ]);
    // The current edition gets a commit first: the other holds it a moment later.
    const applied = live && decodeItem(live).applied;
    const isEven = [...(rebuilt ? decodeItem(rebuilt).applied : [])].every(
      ([shard, n]) => (applied?.get(shard) ?? n) === n,
    );
    if (!isEven && tries < MAX_TRIES) {
      await foldCommits(store, clock);
      continue;
    }
    if (live && rebuilt && areEqual(packedOf(live), packedOf(rebuilt))) return undefined;
    const [a, b] = [live, rebuilt].map((item) => (item && decodeItem(item).rollup) ?? new Rollup()) as [
      Rollup,
      Rollup,
    ];
    const difference = differenceOf(a, b);
    return difference && { granularity, start, ...difference };
  }
}
