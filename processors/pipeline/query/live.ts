/** The last half hour of a site, minute by minute, with its newest events: what people watch, asked every second. */
import { Measures } from "../../model/measures.ts";
import { MINUTE_MS, windowStart } from "../../model/time.ts";
import { firstHour } from "../editions.ts";
import { hoursFrom } from "../expiry.ts";
import type { Site } from "../sites.ts";
import { lateEvents, rejectsIn } from "./answer.ts";
import type { Completeness } from "./completeness.ts";
import { MergedTally, metricError } from "./metrics.ts";
import { type ReaderDeps, RollupReader } from "./reader.ts";
import type { LiveResponse } from "./responses.ts";

export interface LiveDeps extends ReaderDeps {
  /** The latest events name their traces: only where a reader may open them. */
  readonly tellsTraces?: boolean;
}

const CURRENT_MINUTES = 5;
const LIVE_MINUTES = 30;

export class Live {
  readonly #deps: LiveDeps;
  readonly #completeness: Completeness;
  /** Of its own, so that what people watch does not wait until years are read for somebody else. */
  readonly #reader: RollupReader;
  /** Sites that are known to have events. */
  readonly #active = new Set<string>();
  readonly #eventsEver: (siteId: string) => Promise<number>;

  /** `eventsEver` counts all events of a site. */
  constructor(deps: LiveDeps, completeness: Completeness, eventsEver: (siteId: string) => Promise<number>) {
    this.#deps = deps;
    this.#completeness = completeness;
    this.#reader = new RollupReader(deps);
    this.#eventsEver = eventsEver;
  }

  async of(site: Site): Promise<LiveResponse> {
    const now = this.#deps.clock.now();
    const to = windowStart(now, MINUTE_MS) + MINUTE_MS;
    const known = await this.#completeness.known();
    const range = { from: to - LIVE_MINUTES * MINUTE_MS, to };
    const { cells, newest } = await this.#reader.read(site, range, "minute");
    const completeness = this.#completeness.of(newest, known, now);
    const lately = new Measures();
    for (const { totals } of cells.slice(-CURRENT_MINUTES)) lately.merge(totals);
    const current = new MergedTally(lately);
    const feed = this.#reader.feed(site.id);
    // Before anything else is waited for: the next read adds to these cells.
    const counted = {
      current_visitors: current.visitors,
      minutes: cells.map((cell) => {
        const totals = new MergedTally(cell.totals);
        return {
          start: cell.from,
          visitors: totals.visitors,
          pageviews: totals.pageviews,
          events: totals.events,
          provisional: cell.to > completeness.complete_until,
        };
      }),
      latest: this.#deps.tellsTraces ? feed : feed.map(({ trace: _, ...entry }) => entry),
      ...completeness,
      late: lateEvents(cells),
      rejected: rejectsIn(cells),
      ...this.#completeness.reconciled(site),
      error: { visitors: metricError("visitors", current.isExact) },
    };
    const has_events = await this.#hasEvents(site);
    return { site_id: site.id, time_zone: site.timeZone, now, has_events, ...counted };
  }

  /**
   * Asked each second, and never false again: an hour need not be read for it twice. What was only refused leaves an
   * hour behind as well, and the site waits for its first event all the same.
   */
  async #hasEvents(site: Site): Promise<boolean> {
    if (this.#reader.feed(site.id).length > 0 || this.#active.has(site.id)) return true;
    const kept = hoursFrom(site, this.#deps.clock.now());
    if ((await firstHour(this.#deps.store, site.id, kept)) === undefined) return false;
    if ((await this.#eventsEver(site.id)) === 0) return false;
    this.#active.add(site.id);
    return true;
  }
}
