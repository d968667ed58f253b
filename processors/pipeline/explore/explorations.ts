/** Funnels, retention and paths, answered from the archive of one site. Knows no HTTP and no engine's driver. */
import type { Extent, ResultRow, Source, Statement } from "../../explorers/explorer.ts";
import { ALLOWED_LATENESS_MS, type Clock, type EpochMs } from "../../model/time.ts";
import type { Store } from "../../stores/store.ts";
import type { Reader } from "../access.ts";
import { firstInstant } from "../editions.ts";
import { archiveFrom } from "../expiry.ts";
import { bad } from "../fields.ts";
import { storedFilters } from "../query/names.ts";
import { type Bucket, cut, isoLocal, parseRange, type Range, since } from "../query/range.ts";
import { type Site, SiteDirectory } from "../sites.ts";
import type { ExploredArchive } from "./archive.ts";
import { type FunnelStep, funnelStatement, funnelSteps } from "./funnel.ts";
import { type PathLink, type PathStep, pathsOf, pathsStatement } from "./paths.ts";
import { type Asked, parseFunnel, parsePaths, parseRetention } from "./questions.ts";
import { type Cohort, cohorts, MAX_INTERVALS, retentionStatement } from "./retention.ts";

export interface ExploreMeta {
  /** Windows that end at or before this are whole in the archive. Epoch ms. */
  readonly complete_until: EpochMs;
  readonly source: "archive";
  /** Nothing before this is kept, and the question asked for it. Epoch ms. */
  readonly kept_from?: EpochMs;
  readonly warnings?: readonly { readonly code: "visitor_days"; readonly warning: string }[];
}

interface Scope {
  readonly site: Site;
  /** As far as it is kept; empty where none of it is. */
  readonly range: Range;
  readonly now: EpochMs;
  /** Present where the question reached before it. */
  readonly keptFrom?: EpochMs;
}

interface Answered {
  readonly meta: ExploreMeta;
  /** The question as it was understood. */
  readonly query: Readonly<Record<string, unknown>>;
}
export interface FunnelResponse extends Answered {
  readonly steps: FunnelStep[];
}
export interface RetentionResponse extends Answered {
  readonly cohorts: Cohort[];
}
export interface PathsResponse extends Answered {
  readonly steps: PathStep[];
  readonly links: PathLink[];
}

export interface ExplorationDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly archive: ExploredArchive;
  /** What the workers were given. Default ALLOWED_LATENESS_MS. */
  readonly allowedLatenessMs?: number;
}

/** All throw `bad_request` naming the field or the limit, `forbidden`, `not_found`, StillRunning, or an outage. */
export class Explorations {
  readonly #deps: ExplorationDeps;
  readonly #sites: SiteDirectory;

  constructor(deps: ExplorationDeps) {
    this.#deps = deps;
    this.#sites = new SiteDirectory(deps);
  }

  async funnel(reader: Reader, body: unknown): Promise<FunnelResponse> {
    const question = await stored(parseFunnel(body));
    const scoped = await this.#scope(reader, question);
    const { site, range } = scoped;
    const days = question.within === "day" ? cut("time:day", range, site.timeZone) : [];
    const scope = { site: site.id, range, days };
    const [[row], meta] = await this.#ask(scoped, (source, engine) =>
      funnelStatement(question, scope, source, engine),
    );
    return {
      steps: funnelSteps(question, (row ?? []).map(Number)),
      meta,
      query: {
        ...echo(question, site, range, body),
        steps: question.steps.map((step) =>
          step.kind === "page" ? { page: step.pattern } : { goal: step.goal },
        ),
        within: question.within,
      },
    };
  }

  async retention(reader: Reader, body: unknown): Promise<RetentionResponse> {
    const question = await stored(parseRetention(body));
    const scoped = await this.#scope(reader, question);
    const { site, range, now } = scoped;
    const buckets = this.#intervals(question.interval, range, site);
    const scope = { site: site.id, range, buckets };
    const [rows, meta] = await this.#ask(scoped, (source, engine) =>
      retentionStatement(question, scope, source, engine),
    );
    return {
      cohorts: cohorts(rows, buckets, now),
      meta: { ...meta, warnings: [NEW_EACH_DAY] },
      query: { ...echo(question, site, range, body), interval: question.interval },
    };
  }

  async paths(reader: Reader, body: unknown): Promise<PathsResponse> {
    const question = await stored(parsePaths(body));
    const scoped = await this.#scope(reader, question);
    const { site, range } = scoped;
    const [rows, meta] = await this.#ask(scoped, (source, engine) =>
      pathsStatement(question, { site: site.id, range }, source, engine),
    );
    const { from, depth, limit } = question;
    return {
      ...pathsOf(rows),
      meta,
      query: {
        ...echo(question, site, range, body),
        ...(from === undefined ? {} : { from }),
        depth,
        limit,
      },
    };
  }

  async #scope(reader: Reader, asked: Asked): Promise<Scope> {
    reader.check(asked.siteId);
    const site = await this.#sites.site(asked.siteId, "site_id");
    const now = this.#deps.clock.now();
    const first = asked.dateRange === "all" ? await firstInstant(this.#deps.store, site, now) : now;
    const whole = parseRange(asked.dateRange, site.timeZone, now, first);
    const keptFrom = archiveFrom(site, now);
    const isCut = whole.from < keptFrom || (asked.dateRange === "all" && keptFrom > 0);
    return { site, range: since(whole, keptFrom), now, ...(isCut ? { keptFrom } : {}) };
  }

  #intervals(interval: "day" | "week" | "month", range: Range, { timeZone }: Site): Bucket[] {
    const buckets = cut(`time:${interval}`, range, timeZone);
    if (buckets.length > MAX_INTERVALS)
      bad(
        `interval: ${interval} over this date_range gives ${buckets.length} cohorts, more than ${MAX_INTERVALS}`,
      );
    return buckets;
  }

  async #ask(
    { site, range, keptFrom }: Scope,
    statement: (source: Source, engine: ExploredArchive["dialect"]) => Statement,
  ): Promise<[readonly ResultRow[], ExploreMeta]> {
    const { archive, allowedLatenessMs = ALLOWED_LATENESS_MS } = this.#deps;
    const extent: Extent = { site: site.id, ...range };
    const { rows, archivedUntil } = await archive.rows(extent, (source) =>
      statement(source, archive.dialect),
    );
    const kept = keptFrom === undefined ? {} : { kept_from: keptFrom };
    return [rows, { complete_until: archivedUntil - allowedLatenessMs, source: "archive", ...kept }];
  }
}

/** The same question about what is stored. Throws `bad_request` for patterns that are none. */
const stored = async <T extends Asked>(asked: T): Promise<T> => ({
  ...asked,
  filters: await storedFilters(asked.filters),
});

const NEW_EACH_DAY = {
  code: "visitor_days",
  warning:
    "Cookieless visitors get a new pseudonym at midnight UTC, so none comes back in a later interval but by a visit that passes midnight: cohorts tell something only where the site gives visitors an id of its own.",
} as const;

function echo(
  { siteId }: Asked,
  { timeZone }: Site,
  { from, to }: Range,
  body: unknown,
): Record<string, unknown> {
  const { filters } = body as { filters?: unknown };
  return {
    site_id: siteId,
    date_range: [isoLocal(timeZone, from), isoLocal(timeZone, to - 1000)],
    filters: filters ?? [],
  };
}
