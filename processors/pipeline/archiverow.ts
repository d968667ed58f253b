/** Writes what the fold decided about one event as a row of the archive. Decides nothing itself. */
import {
  AGENT_COLUMNS,
  type AgentColumn,
  type ArchiveRow,
  PLACE_COLUMNS,
  type PlaceColumn,
  VISIT_COLUMNS,
  type VisitColumn,
} from "../model/archive.ts";
import type { ClickEvent, RejectReason } from "../model/event.ts";
import type { Place } from "../model/place.ts";
import type { EpochMs } from "../model/time.ts";
import type { Agent } from "./enrich/agent.ts";
import type { Session } from "./state.ts";

/** Where a row comes from. */
export type RowIdentity = Pick<
  ArchiveRow,
  "site" | "shard" | "sequence" | "index" | "received_at" | "imported"
>;

/** What the fold found out about an event. */
export interface Folded {
  /** The visitor's pseudonym. */
  readonly id: string;
  readonly fresh: boolean;
  readonly late: boolean;
  readonly session: Session | undefined;
  /** Who sent it. */
  readonly agent: Pick<Agent, "browserVersion" | "osVersion">;
  /** From where; undefined where no table is given. */
  readonly place: Place | undefined;
}

export function eventRow(identity: RowIdentity, event: ClickEvent, folded: Folded): ArchiveRow {
  const { revenue, vitals } = event;
  const visit = folded.session?.attributes ?? NO_ATTRIBUTES;
  // A literal without spreads, and each name once: a row is made for every event, and so it takes a third of the memory.
  return {
    site: identity.site,
    shard: identity.shard,
    sequence: identity.sequence,
    index: identity.index,
    at: event.at,
    received_at: identity.received_at,
    late: folded.late,
    imported: identity.imported,
    visitor: folded.id,
    fresh: folded.fresh,
    visit: folded.session?.born ?? null,
    name: event.name,
    hostname: event.url.hostname,
    page: event.url.path,
    interactive: event.interactive,
    visit_source: visit[COLUMN.visit_source] ?? null,
    visit_channel: visit[COLUMN.visit_channel] ?? null,
    visit_referrer: visit[COLUMN.visit_referrer] ?? null,
    visit_utm_source: visit[COLUMN.visit_utm_source] ?? null,
    visit_utm_medium: visit[COLUMN.visit_utm_medium] ?? null,
    visit_utm_campaign: visit[COLUMN.visit_utm_campaign] ?? null,
    visit_utm_term: visit[COLUMN.visit_utm_term] ?? null,
    visit_utm_content: visit[COLUMN.visit_utm_content] ?? null,
    visit_entry_page: visit[COLUMN.visit_entry_page] ?? null,
    visit_device: visit[COLUMN.visit_device] ?? null,
    visit_browser: visit[COLUMN.visit_browser] ?? null,
    visit_os: visit[COLUMN.visit_os] ?? null,
    visit_country: visit[COLUMN.visit_country] ?? null,
    visit_screen: visit[COLUMN.visit_screen] ?? null,
    visit_language: visit[COLUMN.visit_language] ?? null,
    props: event.props,
    currency: revenue?.currency ?? null,
    amount_minor: revenue?.minor ?? null,
    engaged_ms: event.engagedMs ?? null,
    scroll_depth: event.scrollDepth ?? null,
    lcp: vitals?.lcp ?? null,
    inp: vitals?.inp ?? null,
    cls: vitals?.cls ?? null,
    fcp: vitals?.fcp ?? null,
    ttfb: vitals?.ttfb ?? null,
    rejected: null,
    count: 0,
    visit_browser_version: folded.session ? folded.agent.browserVersion : null,
    visit_os_version: folded.session ? folded.agent.osVersion : null,
    visit_region: folded.session ? (folded.place?.region ?? null) : null,
    visit_region_name: folded.session ? (folded.place?.regionName ?? null) : null,
    visit_city: folded.session ? (folded.place?.city ?? null) : null,
  };
}

/** `count` inputs of one record that were refused for one reason. */
export function rejectRow(
  identity: RowIdentity,
  { at, reason, count }: { readonly at: EpochMs; readonly reason: RejectReason; readonly count: number },
): ArchiveRow {
  return {
    ...identity,
    at,
    late: false,
    visitor: null,
    fresh: false,
    visit: null,
    name: null,
    hostname: null,
    page: null,
    interactive: false,
    ...NO_VISIT,
    props: [],
    currency: null,
    amount_minor: null,
    engaged_ms: null,
    scroll_depth: null,
    lcp: null,
    inp: null,
    cls: null,
    fcp: null,
    ttfb: null,
    rejected: reason,
    count,
    ...NO_AGENT_OR_PLACE,
  };
}

/** Where a column's value stands among a visit's attributes. */
const COLUMN = Object.fromEntries(VISIT_COLUMNS.map((name, i) => [name, i])) as Readonly<
  Record<VisitColumn, number>
>;
const NO_ATTRIBUTES: readonly string[] = [];
const NO_VISIT = Object.fromEntries(VISIT_COLUMNS.map((name) => [name, null])) as Readonly<
  Record<VisitColumn, null>
>;
const NO_AGENT_OR_PLACE = Object.fromEntries(
  [...AGENT_COLUMNS, ...PLACE_COLUMNS].map((name) => [name, null]),
) as Readonly<Record<AgentColumn | PlaceColumn, null>>;
