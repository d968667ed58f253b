/** The registry of sites: which ids are counted, and in which time zone their days are. Kept in the store. */
import { ClickstreamError } from "../errors.ts";
import { LIMITS } from "../model/event.ts";
import type { Clock, EpochMs } from "../model/time.ts";
import { isTimeZone } from "../model/zone.ts";
import type { Store } from "../stores/store.ts";

export interface Site {
  readonly id: string;
  /** IANA name. Fixed at registration: hours are aligned to it. */
  readonly timeZone: string;
  readonly createdAt: EpochMs;
}

const PK = "site";
/** A site added elsewhere is noticed within this time. */
const REFRESH_MS = 5_000;

/**
 * Registers sites that are not known yet. Throws `config` for an id or time zone that cannot be, or when a known site
 * is given another time zone, because hours already counted cannot be re-aligned.
 */
export async function registerSites(
  store: Store,
  clock: Clock,
  sites: readonly { readonly id: string; readonly timeZone: string }[],
): Promise<void> {
  for (const { id, timeZone } of sites) {
    if (!isSiteId(id))
      throw new ClickstreamError(
        "config",
        `site id "${id}": use 1 to ${LIMITS.siteChars} printable characters without spaces, "@" or ","`,
      );
    if (!isTimeZone(timeZone))
      throw new ClickstreamError("config", `site ${id}: unknown time zone "${timeZone}"`);
    const value = new TextEncoder().encode(JSON.stringify({ timeZone, createdAt: clock.now() }));
    if (await store.put({ pk: PK, sk: id, value }, 0)) continue;
    const known = (await listSites(store)).find((site) => site.id === id);
    if (known && known.timeZone !== timeZone) {
      throw new ClickstreamError(
        "config",
        `site ${id} is registered in ${known.timeZone}, not ${timeZone}: its hours are already counted in that zone`,
      );
    }
  }
}

const isSiteId = (id: string): boolean => id.length <= LIMITS.siteChars && /^[^\s@,\p{C}]+$/u.test(id);

export async function listSites(store: Store): Promise<Site[]> {
  const items = await store.list(PK);
  return items.map(({ sk, value }) => ({
    id: sk,
    ...(JSON.parse(new TextDecoder().decode(value)) as Omit<Site, "id">),
  }));
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
      this.#sites = new Map((await listSites(this.#store)).map((site) => [site.id, site]));
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
