/**
 * The second books: what was recounted of each (site, minute), how far each shard is recounted, and the windows where
 * live and recount disagree. Items carry the commits that are in them, so writing one twice changes nothing.
 */
import { type Clock, type EpochMs, MINUTE_MS } from "../model/time.ts";
import type { ItemKey, Store } from "../stores/store.ts";
import { conflicting, MAX_CONFLICTS } from "./change.ts";
import { decodeJson, encodeJson } from "./json.ts";
import type { Tally } from "./recount.ts";
import { type Granularity, instantKey, MINUTE_KEEP_MS } from "./rollups.ts";

/** How far one shard is recounted. */
export interface Position {
  /** Newest commit that is recounted, the last sequence number in it, and the records in the log up to it. */
  readonly n: number;
  readonly to: string;
  readonly records: number;
  /** Arrival of the newest record recounted. */
  readonly until: EpochMs;
  /** Windows before this hold commits whose records were gone: they cannot be compared. 0: none. */
  readonly since: EpochMs;
  /** Whether the stream still had all records of commit n, so that a later lack of records is a finding. */
  readonly isWhole: boolean;
}

export const FIRST_POSITION: Position = { n: 0, to: "", records: 0, until: 0, since: 0, isWhole: false };

/** Newest commit counted in, by shard. */
export type Applied = Readonly<Record<string, number>>;

export interface Money {
  readonly minor: number;
  /** The sum without signs. */
  readonly absolute: number;
}

export interface RecountedMinute {
  readonly applied: Applied;
  readonly events: number;
  readonly pageviews: number;
  readonly revenue: Readonly<Record<string, Money>>;
}

/** A window of which live and recount say different things. */
export interface Difference {
  /** `commit`: the visitors of one commit in one minute; they cannot be added up over commits. */
  readonly granularity: Granularity | "commit";
  readonly start: EpochMs;
  readonly end: EpochMs;
  /** Sort key of the window's rollup item; "" for a commit. */
  readonly sk: string;
  readonly commit?: { readonly shard: string; readonly n: number };
  readonly live: Readonly<Record<string, number>>;
  readonly recount: Readonly<Record<string, number>>;
}

export interface SiteTotals {
  readonly applied: Applied;
  /** Events recounted so far. */
  readonly events: number;
}

/** Whether minutes are recounted and compared still: for eight days, however long a site keeps its own. */
export const isRecountKept = (minute: EpochMs, now: EpochMs): boolean => minute + MINUTE_KEEP_MS > now;
/** When the recount of a minute, and what was found of a window that begins with it, is no longer needed. */
export const recountExpiry = (minute: EpochMs): EpochMs => minute + MINUTE_MS + MINUTE_KEEP_MS;

const POSITIONS = "recounted";
const TOTALS = "totals";

const minutes = (site: string): string => `recount/${site}`;
const findings = (site: string): string => `reconciled/${site}`;

/** Writes what `change` makes of the item; undefined leaves it as it is. Answers what is there then. */
async function update<T>(
  store: Store,
  key: ItemKey & { readonly expiresAt?: EpochMs },
  change: (known: T | undefined) => T | undefined,
): Promise<T | undefined> {
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    const item = await store.get({ pk: key.pk, sk: key.sk });
    const known = item && decodeJson<T>(item.value);
    const changed = change(known);
    if (changed === undefined) return known;
    if (await store.put({ ...key, value: encodeJson(changed) }, item?.version ?? 0)) return changed;
  }
  throw conflicting(`${key.pk} ${key.sk}`);
}

/** By shard. */
export async function readPositions(store: Store): Promise<Map<string, Position>> {
  return new Map((await store.list(POSITIONS)).map(({ sk, value }) => [sk, decodeJson<Position>(value)]));
}

/** Never goes back, whoever else recounts. */
export async function movePosition(store: Store, shard: string, position: Position): Promise<void> {
  await update<Position>(store, { pk: POSITIONS, sk: shard }, (known) =>
    known && known.n >= position.n ? undefined : position,
  );
}

/** Adds what commits of one shard gave for a minute; in order, those in the item already are skipped. */
export async function addMinute(
  store: Store,
  site: string,
  minute: EpochMs,
  shard: string,
  tallies: readonly { readonly n: number; readonly tally: Tally }[],
): Promise<void> {
  const key = { pk: minutes(site), sk: instantKey(minute), expiresAt: recountExpiry(minute) };
  await update<RecountedMinute>(store, key, (known) => {
    const fresh = tallies.filter(({ n }) => n > (known?.applied[shard] ?? 0));
    const last = fresh.at(-1);
    if (!last) return undefined;
    const revenue: Record<string, { minor: number; absolute: number }> = {};
    for (const [currency, money] of Object.entries(known?.revenue ?? {})) revenue[currency] = { ...money };
    let events = known?.events ?? 0;
    let pageviews = known?.pageviews ?? 0;
    for (const { tally } of fresh) {
      events += tally.events;
      pageviews += tally.pageviews;
      for (const [currency, { minor, absolute }] of tally.revenue) {
        revenue[currency] ??= { minor: 0, absolute: 0 };
        revenue[currency].minor += minor;
        revenue[currency].absolute += absolute;
      }
    }
    return { applied: { ...known?.applied, [shard]: last.n }, events, pageviews, revenue };
  });
}

/** The recounted minutes from `from` to before `to`. */
export async function readMinutes(
  store: Store,
  site: string,
  from: EpochMs,
  to: EpochMs,
): Promise<RecountedMinute[]> {
  const items = await store.list(minutes(site), { from: instantKey(from), to: instantKey(to) });
  return items.map(({ value }) => decodeJson<RecountedMinute>(value));
}

/** Adds the events that commits of one shard gave; those in the item already are skipped. */
export async function addTotals(
  store: Store,
  site: string,
  shard: string,
  counts: readonly { readonly n: number; readonly events: number }[],
): Promise<SiteTotals | undefined> {
  return update<SiteTotals>(store, { pk: findings(site), sk: TOTALS }, (known) => {
    const fresh = counts.filter(({ n }) => n > (known?.applied[shard] ?? 0));
    const last = fresh.at(-1);
    if (!last) return undefined;
    return {
      applied: { ...known?.applied, [shard]: last.n },
      events: fresh.reduce((sum, { events }) => sum + events, known?.events ?? 0),
    };
  });
}

/** Sort key of a finding; 13 digits of time last, so that two granularities never meet. */
export const findingKey = ({
  granularity,
  start,
  commit,
}: Pick<Difference, "granularity" | "start" | "commit">): string =>
  JSON.stringify([granularity, instantKey(start), ...(commit ? [commit.shard, commit.n] : [])]);

/** Keeps a finding for as long as its minute would be kept. */
export async function keepFinding(store: Store, site: string, found: Difference): Promise<void> {
  const key = { pk: findings(site), sk: findingKey(found), expiresAt: recountExpiry(found.start) };
  await update<Difference>(store, key, () => found);
}

export const forgetFinding = (store: Store, site: string, sk: string): Promise<void> =>
  store.delete([{ pk: findings(site), sk }]);

const REBUILT = "rebuilt";

/** Minutes that a rebuild made other than they were counted: nobody can recount them from the stream. */
export async function readRebuilt(store: Store, site: string): Promise<ReadonlySet<EpochMs>> {
  const item = await store.get({ pk: REBUILT, sk: site });
  return new Set(item ? decodeJson<EpochMs[]>(item.value) : []);
}

/** Adds minutes to them, and leaves out those that are kept no longer. Call before readers see what was rebuilt. */
export async function noteRebuilt(
  store: Store,
  clock: Clock,
  site: string,
  rebuilt: readonly EpochMs[],
): Promise<void> {
  await update<EpochMs[]>(store, { pk: REBUILT, sk: site }, (known) =>
    [...new Set([...(known ?? []), ...rebuilt])].filter((minute) => isRecountKept(minute, clock.now())),
  );
}

/** What is known of a site: its totals, and the windows that differ, by `findingKey`. */
export async function readSite(
  store: Store,
  site: string,
): Promise<{ readonly totals: SiteTotals | undefined; readonly found: Map<string, Difference> }> {
  let totals: SiteTotals | undefined;
  const found = new Map<string, Difference>();
  for (const { sk, value } of await store.list(findings(site))) {
    if (sk === TOTALS) totals = decodeJson<SiteTotals>(value);
    else found.set(sk, decodeJson<Difference>(value));
  }
  return { totals, found };
}
