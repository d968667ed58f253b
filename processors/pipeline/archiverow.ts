/** Writes what the fold decided about one event as a row of the archive. Decides nothing itself. */
import { type ArchiveRow, VISIT_COLUMNS } from "../model/archive.ts";
import type { ClickEvent, RejectReason } from "../model/event.ts";
import type { EpochMs } from "../model/time.ts";
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
}

export function eventRow(identity: RowIdentity, event: ClickEvent, folded: Folded): ArchiveRow {
  const { revenue, vitals } = event;
  return {
    ...identity,
    at: event.at,
    late: folded.late,
    visitor: folded.id,
    fresh: folded.fresh,
    visit: folded.session?.born ?? null,
    name: event.name,
    hostname: event.url.hostname,
    page: event.url.path,
    interactive: event.interactive,
    ...visitColumns(folded.session?.attributes),
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
    ...visitColumns(undefined),
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
  };
}

type Attributes = Pick<ArchiveRow, (typeof VISIT_COLUMNS)[number]>;

function visitColumns(attributes: readonly string[] | undefined): Attributes {
  const columns: { -readonly [Name in keyof Attributes]?: string | null } = {};
  for (let i = 0; i < VISIT_COLUMNS.length; i++) {
    const name = VISIT_COLUMNS[i];
    if (name) columns[name] = attributes?.[i] ?? null;
  }
  return columns as Attributes;
}
