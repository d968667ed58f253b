/**
 * Which days and months wait to be derived: those that were announced as over, and those that changed since. The note that
 * a period waits is there before anything else says so. What makes the meeting of two exact is in derive.ts.
 */
import { MAX_EVENT_AGE_MS } from "../model/event.ts";
import { type Clock, DAY_MS } from "../model/time.ts";
import { type LocalDate, localDate } from "../model/zone.ts";
import type { Item, Store } from "../stores/store.ts";
import { changeItem } from "./change.ts";
import { LEVELS, type Level } from "./periods.ts";
import { atOnce, inPortions } from "./portions.ts";
import { type Derived, encodeItem, partition } from "./rollups.ts";

/** Periods that wait. */
const STALE = "stale";

/** A period that waits to be derived, and where its rollups are. */
export interface Waiting {
  /** The note that says so. */
  readonly note: Item;
  readonly period: string;
  readonly space: string;
}

/** All that wait. */
export const waiting = async (store: Store): Promise<Waiting[]> =>
  (await store.list(STALE)).map((note) => {
    const [period, space] = JSON.parse(note.sk) as [string, string];
    return { note, period, space };
  });

const builtBefore = (item: Item | undefined): string => (item ? new TextDecoder().decode(item.value) : "");

/**
 * Call after hours of these days were written and before the cursor moves: marks days and months that may have been
 * derived without; readers use hours until they are derived again.
 */
export async function markDerived(store: Store, space: string, dates: Iterable<LocalDate>): Promise<void> {
  const changed = [...dates];
  for (const { granularity, built, of } of LEVELS) {
    const before = builtBefore(await store.get({ pk: built, sk: space }));
    for (const period of new Set(changed.map(of)))
      if (period < before) await markStale(store, granularity, space, period);
  }
}

/**
 * The note that the period waits comes first, so that dying in between leaves nothing stale without one. The item is
 * then marked under the version that it had before the note: whoever derives it meanwhile, and takes the note away,
 * makes the mark fail, and both are made again.
 */
async function markStale(store: Store, granularity: Derived, space: string, period: string): Promise<void> {
  await changeItem(store, { pk: partition(granularity, space), sk: period }, async () => {
    await noteStale(store, space, period);
    return { value: encodeItem(new Map(), undefined) };
  });
}

/** Every note is a new version, so that whoever derived the period before it cannot take it away. */
const noteStale = (store: Store, space: string, period: string): Promise<boolean> =>
  changeItem(store, { pk: STALE, sk: JSON.stringify([period, space]) }, () => ({ value: new Uint8Array() }));

/** Takes away this version of a note and no later one: the port deletes without a condition, so it expires. */
export async function withdraw(store: Store, clock: Clock, { pk, sk, value, version }: Item): Promise<void> {
  await store.put({ pk, sk, value, expiresAt: clock.now() }, version);
}

/** Forgets what is noted of a space that nobody reads any more: it would be read through by every run from then on. */
export async function forgetSpace(store: Store, space: string): Promise<void> {
  const notes = (await waiting(store)).filter((one) => one.space === space).map(({ note }) => note);
  await store.delete([...notes, ...LEVELS.map(({ built }) => ({ pk: built, sk: space }))]);
}

const NOTES_AT_ONCE = 256;

/**
 * Notes that the periods that are over wait, and announces them; both before they are derived. Returns the period before
 * which they are announced.
 */
export async function announce(
  store: Store,
  clock: Clock,
  { built: pk, settleMs, of, firstDate, next }: Level,
  space: string,
  zone: string,
): Promise<string> {
  const end = of(localDate(zone, clock.now() - settleMs));
  const built = await store.get({ pk, sk: space });
  const from = built ? builtBefore(built) : await earliest(store, space, zone, of);
  if (!from || from >= end) return builtBefore(built);
  // Those without hours too: one may be written before the announcement, by somebody who does not see it.
  const periods: string[] = [];
  for (let period = from; period < end; period = of(firstDate(next(period)))) periods.push(period);
  await inPortions(periods, atOnce(periods.length, NOTES_AT_ONCE), (period) =>
    noteStale(store, space, period),
  );
  const value = new TextEncoder().encode(end);
  // Who loses the put derives in the next run.
  return (await store.put({ pk, sk: space, value }, built?.version ?? 0)) ? end : builtBefore(built);
}

/**
 * That of the first hour, and of as many days before it as an event may be late: an hour of these may be written by
 * somebody who does not see the first announcement yet.
 */
async function earliest(
  store: Store,
  space: string,
  zone: string,
  of: Level["of"],
): Promise<string | undefined> {
  const [hour] = await store.list(partition("hour", space), { limit: 1 });
  return hour && of(localDate(zone, Number(hour.sk) - MAX_EVENT_AGE_MS - DAY_MS));
}
