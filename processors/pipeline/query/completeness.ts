/** How far the numbers of an answer are complete: from the newest commits, and from what is known of the stream. */
import { ALLOWED_LATENESS_MS, type EpochMs } from "../../model/time.ts";
import { type Freshness, quietUntil, waitingMs } from "../freshness.ts";
import type { Reconciled } from "../reconcile.ts";
import type { Site } from "../sites.ts";
import type { NewestCommit } from "./tails.ts";

export interface CompletenessDeps {
  /** How long the oldest acknowledged event that is not counted yet has waited, ms. Without it the newest commit's delay serves. */
  readonly lagMs?: () => Promise<number>;
  /** What was noted of the stream, for a reader that cannot ask it; not needed with `lagMs`. */
  readonly freshness?: () => Promise<Freshness | undefined>;
  /** What the workers were given. Default ALLOWED_LATENESS_MS. */
  readonly allowedLatenessMs?: number;
  /** The newest recount of a site; without it answers say nothing of one. */
  readonly reconciled?: (siteId: string) => Reconciled | undefined;
}

/** What is known of the stream before the data are read. */
interface Known {
  readonly lagMs: number | undefined;
  readonly noted: Freshness | undefined;
}

export class Completeness {
  readonly #deps: CompletenessDeps;

  constructor(deps: CompletenessDeps) {
    this.#deps = deps;
  }

  /** To be asked before the data are read: what is complete then stays complete. */
  async known(): Promise<Known> {
    return { lagMs: await this.#deps.lagMs?.(), noted: await this.#deps.freshness?.() };
  }

  /** In the form of an answer's meta; `newest` are the commits that were read. */
  of(
    newest: readonly NewestCommit[],
    { lagMs, noted }: Known,
    now: EpochMs,
  ): { complete_until: EpochMs; lag_ms: number } {
    const { allowedLatenessMs = ALLOWED_LATENESS_MS } = this.#deps;
    const open = newest.filter(({ isReplaced }) => !isReplaced);
    const watermark = open.length === 0 ? 0 : Math.min(...open.map((header) => header.watermark));
    // What came late before the note was made is over: the note says what waited then.
    const fresh = open.filter(({ committedAt }) => noted === undefined || committedAt >= noted.at);
    const delay = Math.max(0, ...fresh.map(({ committedAt, arrivedAt }) => committedAt - arrivedAt));
    // When nothing waits, whatever arrives from now on belongs to now, or is late.
    const quiet = lagMs === 0 ? now - allowedLatenessMs : noted ? quietUntil(noted, allowedLatenessMs) : 0;
    const waiting = noted ? waitingMs(noted, newest, now) : 0;
    // A clock that ran ahead and was set back left a watermark that is still to come.
    const complete = Math.min(Math.max(watermark, quiet), now - allowedLatenessMs);
    return { complete_until: complete, lag_ms: lagMs ?? Math.max(delay, waiting) };
  }

  reconciled({ id }: Pick<Site, "id">): { reconciled?: Reconciled } {
    const reconciled = this.#deps.reconciled?.(id);
    return reconciled ? { reconciled } : {};
  }
}
