/** Folds the commit logs into minute and hour rollups, derives finished days, and cleans up what nobody needs. */
import type { Clock } from "../model/time.ts";
import { hourStart, type LocalDate, localDate } from "../model/zone.ts";
import { ByteReader, ByteWriter } from "../sketches/bytes.ts";
import type { Store } from "../stores/store.ts";
import {
  type Commit,
  deleteCommits,
  LOG_GRACE_MS,
  listShards,
  newestCommits,
  readCommits,
} from "./commit.ts";
import { advanceCursor, readCursors } from "./cursors.ts";
import { type DeriveDeps, derive } from "./derive.ts";
import { dropRetired, type Editions, readEditions, spacesOf } from "./editions.ts";
import { deleteExpired, isMinuteKept, minuteExpiry } from "./expiry.ts";
import { Bundle, foldInto } from "./folding.ts";
import { atOnce, inPortions } from "./portions.ts";
import { type Granularity, instantKey, partition } from "./rollups.ts";
import { listSites, type Site } from "./sites.ts";
import { newestSnapshot } from "./snapshots.ts";
import { markDerived } from "./stale.ts";

export interface CompactSummary {
  readonly commits: number;
  /** Rollup items written. */
  readonly items: number;
  /** True when more was waiting than one run takes: run again. */
  readonly more: boolean;
}

/** One run's share, so that it ends within a function's timeout and memory: half an hour and more of a quiet shard. */
export const MAX_COMMITS = 2_000;
/** Commits of an import hold thousands of events each: decoded, so many of those would not fit the memory. */
const MAX_EVENTS = 25_000;
const COMMITS_AT_ONCE = 5;
/** More would share a sync, and hold up who else runs in this process. */
const WINDOWS_AT_ONCE = 8;

/** The commits after `after` that one run folds, and whether there are no more. */
async function readShare(
  store: Store,
  shard: string,
  after: number,
): Promise<{ readonly tail: readonly Commit[]; readonly isAll: boolean }> {
  const tail: Commit[] = [];
  let events = 0;
  while (tail.length < MAX_COMMITS && events < MAX_EVENTS) {
    const page = await readCommits(store, shard, tail.at(-1)?.n ?? after, COMMITS_AT_ONCE);
    tail.push(...page);
    if (page.length < COMMITS_AT_ONCE) return { tail, isAll: true };
    for (const { partials } of page)
      for (const { windows } of partials.values())
        for (const { totals } of windows.values()) events += totals.events;
  }
  return { tail, isAll: false };
}

export interface CompactDeps extends DeriveDeps {
  /** Days that this run changes are derived by a later one, because more is to come for them: of an import. */
  readonly leavesChanged?: boolean;
  /** All days and months are derived by a later run. */
  readonly leavesAll?: boolean;
}

/** Safe to run at any time, by several at once, and to abandon anywhere. Throws `unavailable` on an outage: run again. */
export async function compact(deps: CompactDeps): Promise<CompactSummary> {
  const { store, clock, leavesChanged = false, leavesAll = false } = deps;
  const shards = await listShards(store);
  const cursors = await readCursors(store);
  const sites = new Map((await listSites(store)).map((site) => [site.id, site]));
  const commits: Commit[] = [];
  const through = new Map<string, number>();
  let isMore = false;
  for (const { id } of shards) {
    const { tail, isAll } = await readShare(store, id, cursors.get(id) ?? 0);
    isMore ||= !isAll;
    commits.push(...tail);
    const last = tail.at(-1);
    if (last) through.set(id, last.n);
  }
  let items = 0;
  let spaces: Spaces = new Map();
  const changed = new Set<LocalDate>();
  for (let isDone = false; !isDone; ) {
    const editions = await readEditions(store);
    spaces = spacesIn(sites, editions);
    items += await foldCommits(deps, spaces, editions, commits, through, changed);
    isDone = true;
    for (const [shard, n] of through) isDone = isDone && (await advanceCursor(store, shard, n, editions));
  }
  // The next run, which comes at once, may change the same days again.
  if (!isMore && !leavesAll)
    ({ more: isMore } = await derive(deps, spaces, leavesChanged ? changed : undefined));
  await dropRetired(store, clock);
  const kept = Map.groupBy(spaces, ([, { id }]) => id);
  await deleteExpired(
    store,
    clock,
    [...sites.values()].map((site) => ({
      ...site,
      spaces: (kept.get(site.id) ?? []).map(([space]) => space),
    })),
  );
  for (const { id } of shards) await cleanUp(store, clock, id, through.get(id) ?? cursors.get(id) ?? 0);
  return { commits: commits.length, items, more: isMore };
}

/** Runs until nothing is left that one run would have taken. Throws as `compact` does. */
export async function compactAll(deps: CompactDeps): Promise<void> {
  for (let more = true; more; ) ({ more } = await compact(deps));
}

/** Where the rollups of a site are, or are being made, each with the site. */
type Spaces = ReadonlyMap<string, Site>;

function spacesIn(sites: ReadonlyMap<string, Site>, editions: Editions): Spaces {
  const spaces = new Map<string, Site>();
  for (const [id, site] of sites) for (const { space } of spacesOf(id, editions)) spaces.set(space, site);
  return spaces;
}

async function foldCommits(
  deps: DeriveDeps,
  spaces: Spaces,
  editions: Editions,
  commits: readonly Commit[],
  through: ReadonlyMap<string, number>,
  changed: Set<LocalDate>,
): Promise<number> {
  let written = 0;
  for (const site of new Set(commits.flatMap(({ partials }) => [...partials.keys()]))) {
    for (const { space, after } of spacesOf(site, editions)) {
      const owner = spaces.get(space) ?? { id: site, timeZone: "UTC" };
      const beyond = commits.filter(({ shard, n }) => n > (after[shard] ?? 0));
      written += await foldInSpace(deps, owner, space, beyond, through, changed);
    }
  }
  return written;
}

async function foldInSpace(
  { store, clock, pause }: DeriveDeps,
  site: Pick<Site, "id" | "timeZone" | "keep">,
  space: string,
  commits: readonly Commit[],
  through: ReadonlyMap<string, number>,
  changed: Set<LocalDate>,
): Promise<number> {
  const now = clock.now();
  let written = 0;
  const windows = new Map<string, { granularity: Granularity; start: number; bundles: Bundle[] }>();
  const gather = (granularity: Granularity, start: number, bundle: Bundle): void => {
    const key = `${granularity}${start}`;
    const window = windows.get(key);
    if (window) window.bundles.push(bundle);
    else windows.set(key, { granularity, start, bundles: [bundle] });
  };
  const days = new Set<LocalDate>();
  const minutes = new Map<number, Bundle>();
  for (const { shard, n, partials } of commits) {
    for (const [minute, rollup] of partials.get(site.id)?.windows ?? []) {
      const contribution = { shard, n, rollup };
      const known = minutes.get(minute);
      if (known) {
        known.parts.push(contribution);
        continue;
      }
      const bundle = new Bundle(contribution);
      const hour = hourStart(site.timeZone, minute);
      gather("hour", hour, bundle);
      days.add(localDate(site.timeZone, hour));
      if (!isMinuteKept(site, minute, now)) continue;
      gather("minute", minute, bundle);
      minutes.set(minute, bundle);
    }
  }
  const step = atOnce(windows.size, WINDOWS_AT_ONCE);
  await inPortions([...windows.values()], step, async ({ granularity, start, bundles }) => {
    const key = { pk: partition(granularity, space), sk: instantKey(start) };
    const expiresAt = granularity === "minute" ? minuteExpiry(site, start) : undefined;
    if (await foldInto(store, key, bundles, through, { now, expiresAt, pause })) written++;
  });
  await markDerived(store, space, days);
  for (const day of days) changed.add(day);
  return written;
}

const CLEANUP = "cleanup";
/** Portions of the log deleted in one run: at least as much as a run folds, or the log would grow for ever. */
const PORTIONS_DELETED = 10;

/**
 * Deletes commits that are compacted, in a snapshot and not the newest, and have been so for longer than any reader
 * or sleeping worker takes: what may go is noted now and deleted by a later run. The age of a commit would not do,
 * because after a long standstill old commits are compacted while somebody reads them.
 */
async function cleanUp(store: Store, clock: Clock, shard: string, cursor: number): Promise<void> {
  const [newest] = await newestCommits(store, shard, 1);
  const snapshot = await newestSnapshot(store, shard);
  if (!newest || snapshot === undefined) return;
  const through = Math.min(cursor, snapshot, newest.n - 1);
  if (through <= 0) return;
  const key = { pk: CLEANUP, sk: shard };
  const note = await store.get(key);
  const now = clock.now();
  if (note) {
    const reader = new ByteReader(note.value);
    const noted = reader.varint();
    const notedAt = reader.varint();
    if (notedAt <= now && now - notedAt < LOG_GRACE_MS) return;
    // By a clock that was set back since: nobody knows how long ago that was, so it is noted anew.
    for (let portion = 1; notedAt <= now && !(await deleteCommits(store, shard, noted)); portion++)
      if (portion === PORTIONS_DELETED) return;
  }
  const writer = new ByteWriter(16);
  writer.varint(through);
  writer.varint(now);
  await store.put({ ...key, value: writer.finish() }, note?.version ?? 0);
}
