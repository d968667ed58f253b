/** The archive as the engine asks it: writes the statement, has it run, reads the rows. Knows no engine's driver. */

import { ClickstreamError } from "../../errors.ts";
import type { Explorer, ResultRow, Source, Statement } from "../../explorers/explorer.ts";
import type { EpochMs } from "../../model/time.ts";
import type { ArchiveAnswer, ArchiveQuestion, QueryArchive } from "../query/archive.ts";
import type { Range } from "../query/range.ts";
import { breakdownStatement, extentOf, planOf } from "./breakdown.ts";
import { isEvent } from "./conditions.ts";
import { DIALECTS } from "./dialect.ts";
import { archivedRows } from "./rows.ts";
import { StillRunning } from "./running.ts";
import { sql } from "./sql.ts";
import { archivedRowsOf } from "./tally.ts";

export interface ArchiveDeps {
  readonly explorer: Explorer;
  /** Everything received before this is in the files. */
  readonly archivedUntil: () => Promise<EpochMs>;
  /** How long one request waits for its rows, ms. */
  readonly waitMs: number;
}

export class ExploredArchive implements QueryArchive {
  readonly #deps: ArchiveDeps;

  constructor(deps: ArchiveDeps) {
    this.#deps = deps;
  }

  get dialect(): Explorer["dialect"] {
    return this.#deps.explorer.dialect;
  }

  /** Throws `bad_request` naming the field or the limit, StillRunning, or an outage. */
  async answer(question: ArchiveQuestion): Promise<ArchiveAnswer> {
    const plan = planOf(question);
    // Read before the rows: what is archived then stays archived.
    const archivedUntil = await this.archivedUntil();
    const { site, range } = question;
    const [rows, [totals]] = await Promise.all([
      this.rows(extentOf(site.id, plan), (source) =>
        breakdownStatement(question, plan, source, this.dialect),
      ),
      this.rows({ site: site.id, ...range }, (source) =>
        totalsStatement(site.id, range, source, this.dialect),
      ),
    ]);
    return {
      rows: archivedRowsOf(rows, plan),
      allVisitors: Number(totals?.[0] ?? 0),
      late: Number(totals?.[1] ?? 0),
      archivedUntil,
    };
  }

  archivedUntil(): Promise<EpochMs> {
    return this.#deps.archivedUntil();
  }

  /** Rows of a statement about an extent; none where nothing is kept of it. Throws as `answer` does. */
  async rows(
    extent: { readonly site: string } & Range,
    statement: (source: Source) => Statement,
  ): Promise<readonly ResultRow[]> {
    if (extent.from >= extent.to) return [];
    const { explorer, waitMs } = this.#deps;
    for (let tries = 1; ; tries++) {
      const source = await explorer.source(extent);
      if (!source) return [];
      try {
        const outcome = await explorer.run(statement(source), waitMs);
        if (outcome.rows) return outcome.rows;
        throw new StillRunning(outcome.progress);
      } catch (error) {
        // Files are joined with others meanwhile; those that are there now hold the same rows.
        const isGone = error instanceof ClickstreamError && error.code === "unavailable";
        if (!isGone || error instanceof StillRunning || tries === MAX_TRIES) throw error;
      }
    }
  }
}

const MAX_TRIES = 2;

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
