/** The archive as the engine asks it: writes the statement, has it run, reads the rows. Knows no engine's driver. */

import { ClickstreamError } from "../../errors.ts";
import type { Explorer, ResultRow, Source, Statement } from "../../explorers/explorer.ts";
import { type Clock, type EpochMs, SECOND_MS } from "../../model/time.ts";
import type { ArchiveAnswer, ArchiveQuestion, QueryArchive } from "../query/archive.ts";
import type { Range } from "../query/range.ts";
import { breakdownStatement } from "./breakdown.ts";
import { isEvent } from "./conditions.ts";
import { DIALECTS } from "./dialect.ts";
import { extentOf, planOf } from "./plan.ts";
import { archivedRows } from "./rows.ts";
import { StillRunning } from "./running.ts";
import { sql } from "./sql.ts";
import { archivedRowsOf } from "./tally.ts";

export interface ArchiveDeps {
  readonly explorer: Explorer;
  readonly clock: Clock;
  /** Makes files of what can be, and answers how far they reach: everything received before this is in them. */
  readonly archivedUntil: () => Promise<EpochMs>;
  /** How long one request waits for its rows, ms. */
  readonly waitMs: number;
}

/** The files that a question is answered from, as they were when it was first asked. */
interface Snapshot {
  readonly until: EpochMs;
  /** By extent; undefined where nothing is kept of it. */
  readonly sources: Map<string, Source | undefined>;
  expiresAt: EpochMs;
}

/** Questions that somebody may ask again, having been told that they take longer. */
const MAX_UNANSWERED = 32;
/** A page that was told to come again does so within a second or two. */
const UNANSWERED_MS = 15 * SECOND_MS;
const MAX_TRIES = 2;

export class ExploredArchive implements QueryArchive {
  readonly #deps: ArchiveDeps;
  readonly #unanswered = new Map<string, Snapshot>();

  constructor(deps: ArchiveDeps) {
    this.#deps = deps;
  }

  get dialect(): Explorer["dialect"] {
    return this.#deps.explorer.dialect;
  }

  /** Throws `bad_request` naming the field or the limit, StillRunning, or an outage. */
  answer(question: ArchiveQuestion): Promise<ArchiveAnswer> {
    const plan = planOf(question);
    const { site, request, range, keptFrom } = question;
    return this.#ask(JSON.stringify([site.id, request, range, keptFrom]), async (snapshot) => {
      const [rows, [totals]] = await Promise.all([
        this.#rows(snapshot, extentOf(site.id, plan), (source) =>
          breakdownStatement(question, plan, source, this.dialect),
        ),
        this.#rows(snapshot, { site: site.id, ...range }, (source) =>
          totalsStatement(site.id, range, source, this.dialect),
        ),
      ]);
      return {
        rows: archivedRowsOf(rows, plan),
        allVisitors: Number(totals?.[0] ?? 0),
        late: Number(totals?.[1] ?? 0),
        archivedUntil: snapshot.until,
      };
    });
  }

  /** Rows of one statement about an extent, none where nothing is kept of it, and how far the files reach. Throws as `answer` does. */
  rows(
    extent: { readonly site: string } & Range,
    statement: (source: Source) => Statement,
  ): Promise<{ readonly rows: readonly ResultRow[]; readonly archivedUntil: EpochMs }> {
    const key = JSON.stringify([extent, statement(NO_FILES)]);
    return this.#ask(key, async (snapshot) => ({
      rows: await this.#rows(snapshot, extent, statement),
      archivedUntil: snapshot.until,
    }));
  }

  /** What takes longer than a request waits is asked again: of the same files, or it would never be the same question. */
  async #ask<T>(key: string, work: (snapshot: Snapshot) => Promise<T>): Promise<T> {
    const { clock, archivedUntil } = this.#deps;
    const known = this.#unanswered.get(key);
    this.#unanswered.delete(key);
    const snapshot =
      known && known.expiresAt > clock.now()
        ? known
        : { until: await archivedUntil(), sources: new Map(), expiresAt: 0 };
    try {
      return await work(snapshot);
    } catch (error) {
      if (!(error instanceof StillRunning)) throw error;
      snapshot.expiresAt = clock.now() + UNANSWERED_MS;
      this.#unanswered.set(key, snapshot);
      for (const oldest of this.#unanswered.keys()) {
        if (this.#unanswered.size <= MAX_UNANSWERED) break;
        this.#unanswered.delete(oldest);
      }
      throw error;
    }
  }

  async #rows(
    { sources }: Snapshot,
    extent: { readonly site: string } & Range,
    statement: (source: Source) => Statement,
  ): Promise<readonly ResultRow[]> {
    if (extent.from >= extent.to) return [];
    const { explorer, clock, waitMs } = this.#deps;
    const key = JSON.stringify(extent);
    const endsAt = clock.now() + waitMs;
    const leftMs = (): number => Math.max(0, Math.min(waitMs, endsAt - clock.now()));
    for (let tries = 1; ; tries++) {
      if (!sources.has(key)) {
        const found = await explorer.source(extent, leftMs());
        if (found.progress) throw new StillRunning(found.progress);
        sources.set(key, found.source);
      }
      const source = sources.get(key);
      if (!source) return [];
      try {
        const outcome = await explorer.run(statement(source), leftMs());
        if (outcome.rows) return outcome.rows;
        throw new StillRunning(outcome.progress);
      } catch (error) {
        // Files are joined with others meanwhile; those that are there now hold the same rows.
        const isGone = error instanceof ClickstreamError && error.code === "unavailable";
        if (!isGone || error instanceof StillRunning || tries === MAX_TRIES) throw error;
        sources.delete(key);
      }
    }
  }
}

const NO_FILES: Source = { text: "", values: [], mayRepeat: false };

/** Visitors of the whole range, and events and reports that came late. */
export function totalsStatement(
  site: string,
  range: Range,
  source: Source,
  engine: Explorer["dialect"],
): Statement {
  const rows = archivedRows({
    source,
    extent: { site, ...range },
    dialect: DIALECTS[engine],
    columns: ["late"],
    isOrdered: false,
  });
  return sql`WITH "e" AS (${rows}) SELECT count(DISTINCT "visitor") FILTER (WHERE ${isEvent}), count(*) FILTER (WHERE "late") FROM "e"`;
}
