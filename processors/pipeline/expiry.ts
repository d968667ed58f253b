/**
 * How long a site's data are kept: minutes, hours (days with them) and the archive. What is not kept any more is not
 * read from that moment on and deleted later; what may have been deleted never counts as kept again.
 */
import { ClickstreamError } from "../errors.ts";
import { type Clock, DAY_MS, type EpochMs, HOUR_MS, MINUTE_MS } from "../model/time.ts";
import { addDays, dayStart, localDate } from "../model/zone.ts";
import { ByteReader, ByteWriter } from "../sketches/bytes.ts";
import type { Store } from "../stores/store.ts";
import { instantKey, MINUTE_KEEP_MS, partition, type RollupPartition } from "./rollups.ts";

const KEPT = ["minutes", "hours", "archive"] as const;
export type KeptKind = (typeof KEPT)[number];

/** Whole days; null is for ever, undefined as it was. */
export type KeepSetting = { readonly [kind in KeptKind]?: number | null };

/** As the registry holds it. Days that are absent are the default: eight for minutes, for ever for all else. */
export interface Keep {
  readonly minutes?: number;
  readonly hours?: number;
  readonly archive?: number;
  readonly changedAt: EpochMs;
  /** What began before may be deleted, because an earlier setting said so. */
  readonly hoursFrom: EpochMs;
  readonly archiveFrom: EpochMs;
  /** Minutes before `until` were written to be deleted after so few days. */
  readonly shorter?: { readonly days: number; readonly until: EpochMs };
}

/** What of a site says how long its data are kept. */
export interface KeptSite {
  readonly timeZone: string;
  readonly keep?: Keep;
}

const DEFAULT_MINUTES = MINUTE_KEEP_MS / DAY_MS;
const CENTURY = 36_525;
/**
 * Dashboards compare the day that is under way with the same minutes of last week. Recounting compares hours and days
 * for as long as it keeps its own minutes, and alerts look four weeks back.
 */
const LIMITS: Readonly<Record<KeptKind, { readonly least: number; readonly most: number }>> = {
  minutes: { least: DEFAULT_MINUTES, most: 90 },
  hours: { least: 30, most: CENTURY },
  archive: { least: 1, most: CENTURY },
};
/** Whoever read the old setting, or began to read before something expired, has ended by then. */
const DELETE_AFTER_MS = HOUR_MS;
/** A setting that was a slip and is put right within this time has deleted nothing; well before the deleting begins. */
const UNDO_MS = HOUR_MS / 2;

/** How long a minute is kept that is counted now, in ms. */
export const minutesKept = ({ keep }: Pick<KeptSite, "keep">): number =>
  (keep?.minutes ?? DEFAULT_MINUTES) * DAY_MS;

/** First instant whose minutes are kept. */
export function minutesFrom({ keep }: KeptSite, now: EpochMs): EpochMs {
  const after = (days: number): EpochMs => now - days * DAY_MS + 1;
  const from = after(keep?.minutes ?? DEFAULT_MINUTES);
  return keep?.shorter ? Math.max(from, Math.min(keep.shorter.until, after(keep.shorter.days))) : from;
}

/** First instant whose hours and days are kept: the begin of a local day, so that a day is whole or gone. 0: all are. */
export const hoursFrom = (site: KeptSite, now: EpochMs): EpochMs =>
  Math.max(site.keep?.hoursFrom ?? 0, daysBack(site, site.keep?.hours, now));

/** First instant whose hours come back when a setting that was a slip is put right: nobody may leave out or delete these. */
export const hoursNeededFrom = (site: KeptSite, now: EpochMs): EpochMs =>
  isSettled(site, now) ? hoursFrom(site, now) : (site.keep?.hoursFrom ?? 0);

/** First instant whose events are kept in the archive, the begin of a local day. 0: all are. */
export const archiveFrom = (site: KeptSite, now: EpochMs): EpochMs =>
  Math.max(site.keep?.archiveFrom ?? 0, daysBack(site, site.keep?.archive, now));

/** Today and so many days before it. */
const daysBack = ({ timeZone }: KeptSite, days: number | undefined, now: EpochMs): EpochMs =>
  days === undefined ? 0 : Math.max(0, dayStart(timeZone, addDays(localDate(timeZone, now), -days)));

export const isMinuteKept = (site: KeptSite, minute: EpochMs, now: EpochMs): boolean =>
  minute >= minutesFrom(site, now);

/** When an item about this minute is no longer needed. */
export const minuteExpiry = (site: KeptSite, minute: EpochMs): EpochMs =>
  minute + MINUTE_MS + minutesKept(site);

/** For people: what is not the default. */
export function describeKeep({ keep }: KeptSite): string {
  const days = KEPT.filter((kind) => keep?.[kind] !== undefined);
  return days.map((kind) => `${kind} ${keep?.[kind]} ${keep?.[kind] === 1 ? "day" : "days"}`).join(", ");
}

/** The setting after a change. Throws `config` naming the kind for days that cannot be. */
export function changedKeep(site: KeptSite, wanted: KeepSetting, now: EpochMs): Keep {
  for (const kind of KEPT) checkDays(kind, wanted[kind]);
  const chosen = (kind: KeptKind): number | undefined =>
    wanted[kind] === undefined ? site.keep?.[kind] : (wanted[kind] ?? undefined);
  const days = { minutes: chosen("minutes"), hours: chosen("hours"), archive: chosen("archive") };
  if (days.hours !== undefined && days.hours < (days.minutes ?? DEFAULT_MINUTES))
    throw new ClickstreamError("config", `hours kept for ${days.hours} days: minutes are kept for longer`);
  const isUndone = site.keep !== undefined && now - site.keep.changedAt < UNDO_MS;
  const shorter = shorterMinutes(site, days.minutes ?? DEFAULT_MINUTES, now);
  return {
    ...Object.fromEntries(Object.entries(days).filter(([, value]) => value !== undefined)),
    changedAt: now,
    hoursFrom: isUndone ? site.keep.hoursFrom : hoursFrom(site, now),
    archiveFrom: isUndone ? site.keep.archiveFrom : archiveFrom(site, now),
    ...(shorter ? { shorter } : {}),
  };
}

/** Items say themselves when they expire: a longer setting holds for those that are written after it was noticed. */
function shorterMinutes({ keep }: KeptSite, days: number, now: EpochMs): Keep["shorter"] {
  const current = keep?.minutes ?? DEFAULT_MINUTES;
  const earlier = keep?.shorter;
  const pending = earlier && now - earlier.days * DAY_MS <= earlier.until ? earlier : undefined;
  if (days <= current) return pending;
  return { days: Math.min(current, pending?.days ?? current), until: now + HOUR_MS };
}

function checkDays(kind: KeptKind, days: number | null | undefined): void {
  const { least, most } = LIMITS[kind];
  if (days === undefined) return;
  if (days === null && kind !== "minutes") return;
  if (days === null || !Number.isInteger(days) || days < least || days > most)
    throw new ClickstreamError(
      "config",
      `${kind} can be kept for ${least} to ${most} days, not ${days ?? "for ever"}`,
    );
}

// ---- deleting

/** From when on the archive's files are needed, for the sites where older ones may be deleted. */
export function archiveNeededFrom(
  sites: readonly (KeptSite & { readonly id: string })[],
  now: EpochMs,
): Map<string, EpochMs> {
  const needed = new Map<string, EpochMs>();
  for (const site of sites) {
    const from = archiveFrom(site, now - DELETE_AFTER_MS);
    if (from > 0 && isSettled(site, now)) needed.set(site.id, from);
  }
  return needed;
}

const isSettled = ({ keep }: KeptSite, now: EpochMs): boolean =>
  keep !== undefined && now - keep.changedAt >= DELETE_AFTER_MS;

const SWEPT = { pk: "swept", sk: "rollups" };
const DELETED_AT_ONCE = 500;

/**
 * Deletes the rollups that sites keep no longer, a portion at a time and once an hour. `spaces` says where the rollups
 * of each site are. Where nobody set anything, nothing is looked up: minutes have their own time to live.
 */
export async function deleteExpired(
  store: Store,
  clock: Clock,
  sites: readonly (KeptSite & { readonly spaces: readonly string[] })[],
): Promise<void> {
  const now = clock.now();
  const due = sites.filter((site) => isSettled(site, now));
  if (due.length === 0) return;
  const note = await store.get(SWEPT);
  const sweptAt = note && new ByteReader(note.value).varint();
  // One that is still to come was noted by a clock that was set back since.
  if (sweptAt !== undefined && sweptAt <= now && now - sweptAt < HOUR_MS) return;
  let isMore = false;
  for (const site of due) {
    const ends = endsOfExpired(site, now - DELETE_AFTER_MS);
    for (const space of site.spaces)
      for (const [kind, to] of ends) isMore = (await drop(store, partition(kind, space), to)) || isMore;
  }
  if (isMore) return;
  const writer = new ByteWriter(8);
  writer.varint(now);
  await store.put({ ...SWEPT, value: writer.finish() }, note?.version ?? 0);
}

/** By partition, the sort key before which nothing is kept at an instant. */
function endsOfExpired(site: KeptSite, at: EpochMs): [kind: RollupPartition, to: string][] {
  const minute = instantKey(Math.max(0, minutesFrom(site, at)));
  const from = hoursFrom(site, at);
  const hour = instantKey(from);
  const day = localDate(site.timeZone, from);
  // The month that is not kept whole goes too: with it a range that begins in it is never answered.
  const month = day.endsWith("-01") ? day.slice(0, 7) : `${day.slice(0, 7)}!`;
  const ofMinutes: [RollupPartition, string][] = [
    ["minute", minute],
    ["minute-rests", minute],
  ];
  if (from === 0) return ofMinutes;
  return [
    ...ofMinutes,
    ["hour", hour],
    ["hour-rests", hour],
    ["day", day],
    ["day-tables", day],
    ["month", month],
    ["month-tables", month],
  ];
}

/** Deletes a portion of what sorts before `to`; true when there may be more. */
async function drop(store: Store, pk: string, to: string): Promise<boolean> {
  const items = await store.list(pk, { to, limit: DELETED_AT_ONCE });
  if (items.length > 0) await store.delete(items);
  return items.length === DELETED_AT_ONCE;
}
