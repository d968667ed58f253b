/**
 * Editions of a site's rollups: those that readers read, and those that a rebuild makes beside them. An edition lives in
 * a space of its own among the items; one item says which is current, so that a switch is one write.
 */
import { MAX_EVENT_AGE_MS } from "../model/event.ts";
import { type Clock, type EpochMs, HOUR_MS } from "../model/time.ts";
import type { Item, Store } from "../stores/store.ts";
import { conflicting, MAX_CONFLICTS } from "./change.ts";
import { decodeJson, encodeJson } from "./json.ts";
import { instantKey, partition, ROLLUP_PARTITIONS } from "./rollups.ts";
import { forgetSpace } from "./stale.ts";

export interface Edition {
  /** Goes up with every change; readers then forget what they know of the site. 0: nothing was ever rebuilt. */
  readonly version: number;
  /** Takes the place of the site's id in the keys of rollups. The site's id itself for the first edition. */
  readonly space: string;
  /** Newest commit of each shard that a rebuild put there; folding begins after it. */
  readonly after: After;
  /** Where the next one is being made; what is committed goes there too. */
  readonly next: { readonly space: string; readonly after: After } | undefined;
  readonly retired: readonly { readonly space: string; readonly at: EpochMs }[];
  /** When something was last taken out of what was counted: no list of newest events goes further back. */
  readonly erasedAt?: EpochMs | undefined;
}

export type After = Readonly<Record<string, number>>;

/** When the first hour begins that is counted of a site, from an instant on; undefined where none is. */
export async function firstHour(store: Store, site: string, from: EpochMs): Promise<EpochMs | undefined> {
  const { space } = await readEdition(store, site);
  const [hour] = await store.list(partition("hour", space), { from: instantKey(from), limit: 1 });
  return hour && Number(hour.sk);
}

/** Where the data of a site begin. Before the first compaction nobody knows, but no event is older than is accepted. */
export async function firstInstant(
  store: Store,
  { id, createdAt }: { readonly id: string; readonly createdAt: EpochMs },
  now: EpochMs,
): Promise<EpochMs> {
  return (await firstHour(store, id, 0)) ?? Math.min(createdAt, now) - MAX_EVENT_AGE_MS;
}

/** By site; sites that are not in it have their first edition. */
export type Editions = ReadonlyMap<string, Edition>;

const PK = "edition";
/** As long as any query that began before may still read. */
const RETIRED_MS = HOUR_MS;

type Stored = Omit<Edition, "version">;

const decode = (site: string, item: Item | undefined): Edition => {
  const stored = item && item.value.length > 0 ? decodeJson<Stored>(item.value) : undefined;
  return {
    version: item?.version ?? 0,
    space: stored?.space ?? site,
    after: stored?.after ?? {},
    next: stored?.next,
    retired: stored?.retired ?? [],
    erasedAt: stored?.erasedAt,
  };
};

export async function readEdition(store: Store, site: string): Promise<Edition> {
  return decode(site, await store.get({ pk: PK, sk: site }));
}

export async function readEditions(store: Store): Promise<Editions> {
  return new Map((await store.list(PK)).map((item) => [item.sk, decode(item.sk, item)]));
}

/** The spaces that what is committed for a site goes into, and after which commits. */
export function spacesOf(
  site: string,
  editions: Editions,
): { readonly space: string; readonly after: After }[] {
  const edition = editions.get(site);
  if (!edition) return [{ space: site, after: {} }];
  const { space, after, next } = edition;
  return next ? [{ space, after }, next] : [{ space, after }];
}

export const areSame = (a: Editions, b: Editions): boolean =>
  a.size === b.size && [...a].every(([site, { version }]) => b.get(site)?.version === version);

/** Writes what `next` makes of a site's edition; undefined leaves it as it is. Answers what is there then. */
async function change(
  store: Store,
  site: string,
  next: (edition: Edition) => Stored | undefined,
): Promise<Edition> {
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    const known = await readEdition(store, site);
    const wanted = next(known);
    if (!wanted) return known;
    const { space, after, retired, erasedAt } = wanted;
    const value = encodeJson({ space, after, next: wanted.next, retired, erasedAt });
    if (await store.put({ pk: PK, sk: site, value }, known.version))
      return { ...wanted, version: known.version + 1 };
  }
  throw conflicting(`edition of ${site}`);
}

/**
 * Begins another edition, of which the caller puts in what was committed up to `after`; one that was begun before and
 * not finished is given up. "@" occurs in no site id.
 */
export async function beginEdition(store: Store, clock: Clock, site: string, after: After): Promise<string> {
  const { next } = await change(store, site, (edition) => ({
    ...edition,
    next: { space: `${site}@${edition.version + 1}`, after },
    retired: retire(edition, edition.next?.space, clock),
  }));
  return next?.space ?? "";
}

/** Makes an edition that was begun the current one, in one write. False when somebody else began another. `isErasure`: it lacks what was taken out. */
export async function switchEdition(
  store: Store,
  clock: Clock,
  site: string,
  { space, isErasure }: { readonly space: string; readonly isErasure: boolean },
): Promise<boolean> {
  const edition = await change(store, site, (known) => {
    if (known.next?.space !== space) return undefined;
    const erasedAt = isErasure ? clock.now() : known.erasedAt;
    return { ...known.next, next: undefined, retired: retire(known, known.space, clock), erasedAt };
  });
  return edition.space === space;
}

/** Gives up an edition that was begun, and has its items deleted. */
export async function giveUpEdition(store: Store, clock: Clock, site: string, space: string): Promise<void> {
  await change(store, site, (known) =>
    known.next?.space === space
      ? { ...known, next: undefined, retired: retire(known, space, clock) }
      : undefined,
  );
}

const retire = ({ retired }: Edition, space: string | undefined, clock: Clock): Edition["retired"] =>
  space === undefined ? retired : [...retired, { space, at: clock.now() }];

const DELETED_AT_ONCE = 500;

/** Deletes the items of editions that nobody reads any more, a portion at a time. */
export async function dropRetired(store: Store, clock: Clock): Promise<void> {
  for (const [site, { retired }] of await readEditions(store)) {
    for (const { space, at } of retired) {
      if (clock.now() - at < RETIRED_MS) continue;
      if (!(await dropSpace(store, space))) return;
      await change(store, site, (edition) => ({
        ...edition,
        retired: edition.retired.filter((one) => one.space !== space),
      }));
    }
  }
}

async function dropSpace(store: Store, space: string): Promise<boolean> {
  for (const granularity of ROLLUP_PARTITIONS) {
    const items = await store.list(partition(granularity, space), { limit: DELETED_AT_ONCE });
    await store.delete(items);
    if (items.length === DELETED_AT_ONCE) return false;
  }
  await forgetSpace(store, space);
  return true;
}
