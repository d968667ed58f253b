/** The registry of sites: which ids are counted, and in which time zone their days are. Kept in the store. */
import { ClickstreamError } from "../errors.ts";
import { isSiteId, SITE_ID_RULE, type SiteSetting } from "../model/site.ts";
import type { Clock, EpochMs } from "../model/time.ts";
import { isSameZone, isTimeZone } from "../model/zone.ts";
import type { Store } from "../stores/store.ts";
import { conflicting } from "./change.ts";
import { changedKeep, type Keep, type KeepSetting } from "./expiry.ts";
import { decodeJson, encodeJson } from "./json.ts";

export interface Site {
  readonly id: string;
  /** IANA name. Fixed at registration: hours are aligned to it. */
  readonly timeZone: string;
  readonly createdAt: EpochMs;
  /** Since when it is not counted any more. What was counted stays, and so does the time zone. */
  readonly removedAt?: EpochMs;
  /** How long its data are kept, where that is not the default. */
  readonly keep?: Keep;
}

/** Under its id. */
type StoredSite = Omit<Site, "id">;

const PK = "site";
/** Whether a list of sites for readers names it: sites of the operator's own begin with one "_". */
export const isListed = ({ id }: Site): boolean => !/^_[^_]/.test(id);

/** A site added or removed elsewhere is noticed within this time. */
const REFRESH_MS = 5_000;

const MAX_CONFLICTS = 20;

/**
 * Registers sites that are not known yet, and takes removed ones back. Throws `config` for an id or time zone that
 * cannot be, or when a known site is given another time zone, because hours already counted cannot be re-aligned.
 */
export async function registerSites(
  store: Store,
  clock: Clock,
  sites: readonly SiteSetting[],
): Promise<void> {
  for (const site of sites) {
    checkSite(site);
    await change(store, site.id, (known) => {
      if (!known) return { timeZone: site.timeZone, createdAt: clock.now() };
      if (!isSameZone(known.timeZone, site.timeZone))
        throw new ClickstreamError(
          "config",
          `site ${site.id} is registered in ${known.timeZone}, not ${site.timeZone}: its hours are already counted in that zone`,
        );
      const { removedAt, ...active } = known;
      return removedAt === undefined ? undefined : active;
    });
  }
}

/** Stops counting a site; its numbers stay in the store. False when there is no such site. */
export async function removeSite(store: Store, clock: Clock, id: string): Promise<boolean> {
  let isKnown = false;
  await change(store, id, (known) => {
    isKnown = known !== undefined && known.removedAt === undefined;
    return known && isKnown ? { ...known, removedAt: clock.now() } : undefined;
  });
  return isKnown;
}

/**
 * Sets how long the data of a site are kept. Answers the site, undefined when there is no such one. Throws `config` for
 * days that cannot be.
 */
export async function keepSite(
  store: Store,
  clock: Clock,
  id: string,
  wanted: KeepSetting,
): Promise<Site | undefined> {
  let changed: Site | undefined;
  await change(store, id, (known) => {
    const next = known && { ...known, keep: changedKeep(known, wanted, clock.now()) };
    changed = next && { id, ...next };
    return next;
  });
  return changed;
}

/** Throws `config` for an id that no site can have. */
export function checkSiteId(id: string): void {
  if (!isSiteId(id)) throw new ClickstreamError("config", `site id "${id}": ${SITE_ID_RULE}`);
}

function checkSite({ id, timeZone }: SiteSetting): void {
  checkSiteId(id);
  if (!isTimeZone(timeZone))
    throw new ClickstreamError("config", `site ${id}: unknown time zone "${timeZone}"`);
}

/** Writes what `next` makes of one entry; undefined leaves it as it is. */
async function change(
  store: Store,
  id: string,
  next: (known: StoredSite | undefined) => StoredSite | undefined,
): Promise<void> {
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    const item = await store.get({ pk: PK, sk: id });
    const site = next(item && decodeJson<StoredSite>(item.value));
    if (!site) return;
    if (await store.put({ pk: PK, sk: id, value: encodeJson(site) }, item?.version ?? 0)) return;
  }
  throw conflicting(`site ${id}`, MAX_CONFLICTS);
}

/** Every site that was ever registered, removed ones too: their numbers keep their time zone. */
export async function listSites(store: Store): Promise<Site[]> {
  return (await store.list(PK)).map(({ sk, value }) => ({ id: sk, ...decodeJson<StoredSite>(value) }));
}

/** The sites that are counted. */
export async function activeSites(store: Store): Promise<Site[]> {
  return (await listSites(store)).filter(({ removedAt }) => removedAt === undefined);
}

/** A view of the registry that is at most a few seconds old. */
export class SiteDirectory {
  readonly #store: Store;
  readonly #clock: Clock;
  #sites = new Map<string, Site>();
  #loadedAt = Number.NEGATIVE_INFINITY;

  constructor(deps: { store: Store; clock: Clock }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
  }

  /** Registered sites by id. */
  async all(): Promise<ReadonlyMap<string, Site>> {
    const now = this.#clock.now();
    if (now - this.#loadedAt >= REFRESH_MS || now < this.#loadedAt) {
      this.#sites = new Map((await activeSites(this.#store)).map((site) => [site.id, site]));
      this.#loadedAt = now;
    }
    return this.#sites;
  }

  /** Makes the next `all` read the store again. */
  refresh(): void {
    this.#loadedAt = Number.NEGATIVE_INFINITY;
  }

  /** One site; reads the store again before it says that there is none. Throws `not_found`. */
  async site(id: string, field: string): Promise<Site> {
    const known = (await this.all()).get(id);
    if (known) return known;
    this.refresh();
    const site = (await this.all()).get(id);
    if (!site) throw new ClickstreamError("not_found", `${field}: site "${id}" is not registered`);
    return site;
  }
}
