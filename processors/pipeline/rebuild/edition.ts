/** The edition that a rebuild makes, on one machine and on AWS: how it is begun, completed, compared with the current one, and switched to. */
import { ClickstreamError } from "../../errors.ts";
import { Rollup } from "../../model/rollup.ts";
import type { Clock, EpochMs } from "../../model/time.ts";
import { hourEnd, hourStart, type LocalDate, localDate } from "../../model/zone.ts";
import type { Item, Store } from "../../stores/store.ts";
import { type CommitHeader, readCommits } from "../commit.ts";
import { compactAll } from "../compact.ts";
import { readCursors, touchCursors } from "../cursors.ts";
import { beginEdition, giveUpEdition, readEdition, switchEdition } from "../editions.ts";
import { hoursOfTotals } from "../import/totals.ts";
import { noteRebuilt } from "../ledger.ts";
import { appliedOf, decodeItem, instantKey, packedOf, partition } from "../rollups.ts";
import { markDerived } from "../stale.ts";
import { areEqual, differenceOf, type WindowChange } from "./change.ts";

const MAX_TRIES = 20;

/** An edition that was begun, and the commits after which others fold into it. */
export interface Begun {
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

/** Days may have been derived while their hours were still being written. */
export async function markAllDerived(store: Store, space: string, zone: string): Promise<void> {
  const dates = new Set<LocalDate>();
  for await (const sk of keysOf(store, partition("hour", space))) dates.add(localDate(zone, Number(sk)));
  await markDerived(store, space, dates);
}

/** Without days and months, which take much longer. */
export const foldCommits = (store: Store, clock: Clock): Promise<void> =>
  compactAll({ store, clock, leavesAll: true });

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

/** Switches to an edition that was made, or gives it up. Throws `unavailable` if another rebuild took its place. */
export async function endRebuild(
  store: Store,
  clock: Clock,
  {
    site,
    space,
    changes,
    isSwitch,
    isErasure,
  }: {
    readonly site: string;
    readonly space: string;
    readonly changes: readonly WindowChange[];
    readonly isSwitch: boolean;
    readonly isErasure: boolean;
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
  if (!(await switchEdition(store, clock, site, { space, isErasure })))
    throw new ClickstreamError(
      "unavailable",
      `site ${site}: another rebuild began meanwhile, and this one switched nothing: run it again when that is over`,
    );
}

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
