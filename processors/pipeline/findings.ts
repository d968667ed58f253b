/** What recounting found of each site: how many events, and the windows in which the live numbers say otherwise. */
import type { Clock } from "../model/time.ts";
import type { Store } from "../stores/store.ts";
import type { Window } from "./difference.ts";
import {
  type Difference,
  findingKey,
  forgetFinding,
  keepFinding,
  readSite,
  recountExpiry,
} from "./ledger.ts";

/** Kept for a site; a fault that touches more windows needs no longer list. */
const MAX_FINDINGS = 1_000;

/** Of one site, as it stands. */
export interface Found {
  /** Events recounted. */
  readonly events: number;
  /** Events counted live minus events recounted, over the minutes that differ; expected 0. */
  readonly difference: number;
  /** Windows in which anything differs: events, page views, visitors or revenue; expected 0. */
  readonly windows: number;
}

interface Books {
  events: number;
  readonly found: Map<string, Difference>;
}

export class Findings {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #sites = new Map<string, Books>();

  constructor({ store, clock }: { readonly store: Store; readonly clock: Clock }) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Reads what earlier processes found of a site; false where nothing of it was recounted. */
  async open(site: string): Promise<boolean> {
    const { totals, found } = await readSite(this.#store, site);
    if (totals) this.#sites.set(site, { events: totals.events, found });
    return totals !== undefined;
  }

  /** Says how many events of a site have been recounted. */
  recounted(site: string, events: number): void {
    this.#booksOf(site).events = events;
  }

  async keep(site: string, found: Difference): Promise<void> {
    const books = this.#booksOf(site);
    const key = findingKey(found);
    if (!books.found.has(key) && books.found.size >= MAX_FINDINGS) return;
    books.found.set(key, found);
    await keepFinding(this.#store, site, found);
  }

  async forget(site: string, key: string): Promise<void> {
    if (!this.#sites.get(site)?.found.delete(key)) return;
    await forgetFinding(this.#store, site, key);
  }

  /** Windows that differed: somebody may have mended them. */
  *windows(): Generator<Window> {
    for (const [site, { found }] of this.#sites) {
      for (const { granularity, start, end, sk } of found.values())
        if (granularity !== "commit") yield { site, granularity, start, end, sk };
    }
  }

  /** Undefined before anything of this site was recounted. */
  of(site: string): Found | undefined {
    const books = this.#sites.get(site);
    if (!books) return undefined;
    const differing = [...books.found.values()].filter(
      ({ start }) => recountExpiry(start) > this.#clock.now(),
    );
    return {
      events: books.events,
      difference: differing.reduce((sum, { granularity, live, recount }) => {
        return granularity === "minute" ? sum + ((live.events ?? 0) - (recount.events ?? 0)) : sum;
      }, 0),
      windows: differing.length,
    };
  }

  /** All sites together. */
  totals(): Found {
    const total = { events: 0, difference: 0, windows: 0 };
    for (const site of this.#sites.keys()) {
      const { events, difference, windows } = this.of(site)!;
      total.events += events;
      // Without signs: a loss on one site and a double on another are two faults.
      total.difference += Math.abs(difference);
      total.windows += windows;
    }
    return total;
  }

  #booksOf(site: string): Books {
    const books = this.#sites.get(site) ?? { events: 0, found: new Map<string, Difference>() };
    this.#sites.set(site, books);
    return books;
  }
}
