/**
 * A rebuild cut into steps that a workflow calls, for archives that one process cannot fold. Order matters for one
 * visitor only, so visitors are divided into lots that are folded side by side, and what they add up to is merged. Each
 * step may be called again, after it failed or succeeded, and changes nothing then. Knows nothing of the workflow.
 */

import type { ArchiveObjects } from "../../archives/objects.ts";
import { ClickstreamError } from "../../errors.ts";
import { type ArchiveRow, compareRows, rowsOfSite } from "../../model/archive.ts";
import { Rollup } from "../../model/rollup.ts";
import { type Clock, DAY_MS, type EpochMs } from "../../model/time.ts";
import { addDays, dayStart, hourStart, localDate } from "../../model/zone.ts";
import type { Store } from "../../stores/store.ts";
import { compareSequences } from "../../streams/stream.ts";
import { archiveStore } from "../archive.ts";
import { committedTo, listShards } from "../commit.ts";
import { compactAll } from "../compact.ts";
import { giveUpEdition, readEdition } from "../editions.ts";
import { Erasure } from "../erasure.ts";
import { archiveFrom, isMinuteKept, minuteExpiry } from "../expiry.ts";
import { copyItem, foldBase, packWindow } from "../folding.ts";
import { holdsTotals } from "../import/totals.ts";
import { inPortions } from "../portions.ts";
import { instantKey, partition } from "../rollups.ts";
import { listSites } from "../sites.ts";
import { compareChanges, type WindowChange } from "./change.ts";
import { addUntold, beginRebuild, compareWindow, endRebuild, endsOf, markAllDerived } from "./edition.ts";
import { earliestOf, notesOf } from "./erasing.ts";
import {
  type Begun,
  encodeWindows,
  isCounted,
  keptSiteOf,
  keyOfErasing,
  type LotErasure,
  lotOf,
  type Plan,
  parseOrder,
  type Sorted,
} from "./files.ts";
import { LeftObjects } from "./left.ts";
import type { RebuildReport } from "./rebuild.ts";
import { countsErased } from "./remaining.ts";
import { addEncoded, RowFold } from "./rowfold.ts";
import { eachWindow, isMadeAgain, type Progress } from "./windows.ts";

export interface RebuildStepDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly objects: ArchiveObjects;
  /** False when the caller's time is nearly over: a step that can go on later then answers where. */
  readonly hasTime: () => boolean;
  /** Bytes of Parquet that one call sorts or folds. Default: what fits the memory of one function. */
  readonly portionBytes?: number;
}

/** What lies in the bucket when it is over. */
export interface StoredReport extends Omit<RebuildReport, "incomplete" | "stillCounted"> {
  readonly site: string;
  readonly from: EpochMs;
  readonly to: EpochMs;
  readonly incomplete: readonly EpochMs[];
  /** Of an erasure: rows that were left out, and hours that stay as they were and count it. */
  readonly erased?: number;
  readonly stillCounted?: readonly EpochMs[];
}

/** What the last step answers. */
export interface RebuildAnswer
  extends Pick<StoredReport, "site" | "rows" | "windows" | "isSwitched" | "erased" | "stillCounted"> {
  readonly changes: number;
  /** The first of them. */
  readonly firstChanges: readonly WindowChange[];
  readonly incomplete: number;
  /** Key of the report that lists all. */
  readonly report: string;
}

/** What one call found of the windows that it compared. */
interface Compared extends Required<Pick<StoredReport, "windows" | "changes" | "stillCounted">> {}

/** Of imported rows, which repeat most and take eight bytes, 1.6 million: as objects in memory two gigabytes and a half. */
const PORTION_BYTES = 12 << 20;
/** The workflow passes their numbers on, and writes down a few events for each. */
const MAX_PORTIONS = 500;
const MAX_LOTS = 250;
const AT_ONCE = 16;
/** Of changes and hours, in an answer: what passes through the workflow is bounded. */
const MAX_ANSWERED = 40;

export class RebuildSteps {
  readonly #deps: RebuildStepDeps;
  readonly #left: LeftObjects;

  /** `run` names an execution; calls for the same one share what they left. */
  constructor(deps: RebuildStepDeps, run: string) {
    this.#deps = deps;
    this.#left = new LeftObjects(deps.objects, run);
  }

  /** Begins an edition. Throws `bad_request` or `not_found` for what cannot be done, both name the field or site. */
  async begin(input: unknown): Promise<void> {
    const { store, clock } = this.#deps;
    const { site, from, to, erased } = parseOrder(input);
    if (await this.#left.json(this.#left.keys.begun)) return;
    const known = (await listSites(store)).find(({ id }) => id === site);
    if (!known) throw new ClickstreamError("not_found", `site "${site}" is not registered`);
    const { space, after } = await beginRebuild(store, clock, site);
    const { timeZone: zone, keep } = known;
    const now = clock.now();
    const archivedFrom = archiveFrom(known, now);
    const begun: Begun = {
      site,
      zone,
      ...(keep ? { keep } : {}),
      ...(erased ? { erased } : {}),
      archivedFrom,
      // As in `rebuild`: into the day after what is archived no longer, visits may have gone on.
      from: Math.max(from ? dayStart(zone, from) : 0, archivedFrom === 0 ? 0 : archivedFrom + DAY_MS),
      // Clocks a minute ahead are taken at their word.
      to: dayStart(zone, addDays(to ?? localDate(zone, now + DAY_MS), 1)),
      space,
      current: (await readEdition(store, site)).space,
      ends: Object.fromEntries(await endsOf(store, after)),
      shards: await listShards(store),
      now,
    };
    await this.#left.write(this.#left.keys.begun, begun);
  }

  /** Whether the archive's own consumer has handed over all rows that this rebuild will count. */
  async hasArrived(): Promise<boolean> {
    const { ends, now } = await this.#left.begun();
    const archive = archiveStore(this.#deps.store);
    for (const [shard, { to, committedAt }] of Object.entries(ends)) {
      if (holdsTotals(shard)) continue;
      const archived = await committedTo(archive, shard);
      // A shard that ended before there was an archive: the stream has forgotten it, and nothing will come.
      if (archived === "" && committedAt < now - DAY_MS) continue;
      if (archived === "" || compareSequences(archived, to) < 0) return false;
    }
    return true;
  }

  /** Cuts the work. All objects of the site, because a visitor of the first day may have come long before it. */
  async plan(): Promise<{ readonly portions: readonly number[]; readonly lots: readonly number[] }> {
    const plan = (await this.#left.json<Plan>(this.#left.keys.plan)) ?? (await this.#cut());
    return { portions: plan.portions.map((_, i) => i), lots: Array.from({ length: plan.lots }, (_, i) => i) };
  }

  async #cut(): Promise<Plan> {
    const { site } = await this.#left.begun();
    const { portionBytes = PORTION_BYTES } = this.#deps;
    const objects = await this.#deps.objects.list(rowsOfSite(site));
    const total = objects.reduce((sum, { bytes }) => sum + bytes, 0);
    const most = Math.max(portionBytes, total / (MAX_PORTIONS / 2));
    const portions: string[][] = [];
    let filled = Number.POSITIVE_INFINITY;
    for (const { key, bytes } of objects) {
      if (filled + bytes > most) {
        portions.push([]);
        filled = 0;
      }
      portions.at(-1)!.push(key);
      filled += bytes;
    }
    const lots = Math.min(MAX_LOTS, Math.max(1, Math.ceil(total / portionBytes)));
    const plan = { portions, lots };
    await this.#left.write(this.#left.keys.plan, plan);
    return plan;
  }

  /** Divides the rows of a portion among the lots. */
  async sort(portion: number): Promise<void> {
    const { objects } = this.#deps;
    const begun = await this.#left.begun();
    const { portions, lots } = await this.#left.plan();
    const rowsOf: ArchiveRow[][] = Array.from({ length: lots }, () => []);
    const since: Record<string, EpochMs> = {};
    let earliest = Number.POSITIVE_INFINITY;
    for (const key of portions[portion] ?? []) {
      for (const row of await objects.readRows(key, begun.site)) {
        if (row.at < begun.archivedFrom || row.site !== begun.site) continue;
        earliest = Math.min(earliest, row.at);
        if (!isCounted(row, begun)) continue;
        rowsOf[lotOf(row, lots)]!.push(row);
        if (row.rejected === null)
          since[row.shard] = Math.min(since[row.shard] ?? row.received_at, row.received_at);
      }
    }
    await inPortions(
      rowsOf.map((rows, lot) => ({ rows, lot })).filter(({ rows }) => rows.length > 0),
      AT_ONCE,
      ({ rows, lot }) => objects.writeRows(`${this.#left.keys.rows(lot)}${portion}.parquet`, rows),
    );
    const sorted: Sorted = { since, ...(earliest === Number.POSITIVE_INFINITY ? {} : { earliest }) };
    await this.#left.write(`${this.#left.keys.sorted}${portion}.json`, sorted);
  }

  /** Folds the rows of a lot of visitors, but for those that are to be erased. */
  async fold(lot: number): Promise<void> {
    const { objects } = this.#deps;
    const begun = await this.#left.begun();
    const { site, zone, now, shards, erased } = begun;
    const known = keptSiteOf(begun);
    const { lots } = await this.#left.plan();
    const { since } = await this.#left.sorted();
    const before = await this.#left.erasing(begun);
    const erasure = erased && new Erasure(erased, notesOf(lot, lots, before));
    const goneFrom = new Set<EpochMs>(lot === 0 ? before.hours : []);
    let gone = 0;
    const rows: ArchiveRow[] = [];
    for (const { key } of await objects.list(this.#left.keys.rows(lot)))
      for (const row of await objects.readRows(key, site)) rows.push(row);
    rows.sort(compareRows);
    const windows = { hours: new Map<EpochMs, Uint8Array>(), minutes: new Map<EpochMs, Uint8Array>() };
    const fold = new RowFold({
      shards,
      hourOf: (minute) => hourStart(zone, minute),
      hasMinutes: (minute) => isMinuteKept(known, minute, now),
      since,
      ...windows,
    });
    rows.forEach((row, i) => {
      if (i > 0 && compareRows(rows[i - 1]!, row) === 0) return;
      const wanted = erasure ? erasure.next(row) : row;
      if (wanted) fold.add(wanted);
      else {
        gone++;
        goneFrom.add(hourStart(zone, row.at));
      }
    });
    const incomplete = fold.finish();
    if (erasure) {
      const found: LotErasure = { ...erasure.notes, rows: gone, hours: [...goneFrom] };
      await this.#left.write(`${this.#left.keys.erasures}${lot}.json`, found);
    }
    await objects.put(
      this.#left.keys.windows(lot),
      encodeWindows({ ...windows, incomplete, rows: fold.rows }),
    );
  }

  /** Adds up the lots, always in the same order. */
  async merge(): Promise<void> {
    const { objects, store } = this.#deps;
    const { lots } = await this.#left.plan();
    const begun = await this.#left.begun();
    const merged = {
      rows: 0,
      hours: new Map<EpochMs, Uint8Array>(),
      minutes: new Map<EpochMs, Uint8Array>(),
      incomplete: new Set<EpochMs>(),
    };
    for (let lot = 0; lot < lots; lot++) {
      const { rows, hours, minutes, incomplete } = await this.#left.windows(this.#left.keys.windows(lot));
      merged.rows += rows;
      for (const [start, bytes] of hours) addEncoded(merged.hours, start, Rollup.decode(bytes));
      for (const [start, bytes] of minutes) addEncoded(merged.minutes, start, Rollup.decode(bytes));
      for (const hour of incomplete) merged.incomplete.add(hour);
    }
    const told = new Set([...merged.hours.keys(), ...(await this.#left.hoursGone(begun))]);
    const earliest = await earliestOf(this.#left, begun);
    await addUntold(store, { ...begun, earliest, told }, merged.incomplete);
    await objects.put(this.#left.keys.merged, encodeWindows(merged));
  }

  /** Puts windows into the new edition: those of the archive, and copies of all that are not replaced. */
  async put(next: string): Promise<Progress> {
    const { store, clock } = this.#deps;
    const begun = await this.#left.begun();
    const { current, space, zone } = begun;
    const known = keptSiteOf(begun);
    const merged = await this.#left.windows(this.#left.keys.merged);
    const progress = await eachWindow(this.#deps, begun, merged, next, async ({ granularity, start }) => {
      const key = { pk: partition(granularity, space), sk: instantKey(start) };
      if (!isMadeAgain(begun, merged, start)) {
        await copyItem(store, partition(granularity, current), key.pk, key.sk);
        return;
      }
      const bytes = (granularity === "hour" ? merged.hours : merged.minutes).get(start);
      const expiresAt = granularity === "minute" ? minuteExpiry(known, start) : undefined;
      if (bytes)
        await foldBase(store, key, packWindow(Rollup.decode(bytes)), { now: clock.now(), expiresAt });
    });
    if (!progress.isDone) return progress;
    await markAllDerived(store, space, zone);
    await compactAll({ store, clock });
    return progress;
  }

  /** Compares the windows that were made again with those that are read. */
  async compare(next: string): Promise<Progress> {
    const { store, clock } = this.#deps;
    const begun = await this.#left.begun();
    const merged = await this.#left.windows(this.#left.keys.merged);
    const changes: WindowChange[] = [];
    const stillCounted: EpochMs[] = [];
    let windows = 0;
    const gone = begun.erased && { erased: begun.erased, hours: await this.#left.hoursGone(begun) };
    const progress = await eachWindow(this.#deps, begun, merged, next, async (window) => {
      if (!isMadeAgain(begun, merged, window.start)) {
        const isCounting = gone && window.granularity === "hour";
        if (isCounting && (await countsErased(store, begun.space, window.start, gone)))
          stillCounted.push(window.start);
        return;
      }
      windows++;
      const change = await compareWindow(store, clock, begun, window);
      if (change) changes.push(change);
    });
    await this.#left.write(`${this.#left.keys.changes}${next || "first"}.json`, {
      windows,
      changes,
      stillCounted,
    });
    return progress;
  }

  /** Writes the report, and switches to what was made or gives it up. Throws `unavailable` if another rebuild took its place. */
  async end(isSwitch: boolean): Promise<RebuildAnswer> {
    const { store, clock } = this.#deps;
    const { site, from, to, space, erased } = await this.#left.begun();
    const { rows, incomplete } = await this.#left.windows(this.#left.keys.merged);
    const gone = await this.#left.erasures();
    const changes: WindowChange[] = [];
    const stillCounted: EpochMs[] = [];
    let windows = 0;
    await this.#left.each<Compared>(this.#left.keys.changes, (part) => {
      windows += part.windows;
      changes.push(...part.changes);
      stillCounted.push(...part.stillCounted);
    });
    changes.sort(compareChanges);
    stillCounted.sort((a, b) => a - b);
    const missing = [...incomplete].filter((hour) => hour >= from && hour < to).sort((a, b) => a - b);
    const report: StoredReport = {
      site,
      from,
      to,
      rows,
      windows,
      changes,
      incomplete: missing,
      isSwitched: isSwitch,
      ...(erased ? { erased: gone.rows, stillCounted } : {}),
    };
    await endRebuild(store, clock, { site, space, changes, isSwitch, isErasure: erased !== undefined });
    await this.#left.write(this.#left.keys.report, report);
    if (isSwitch && erased) await this.#left.write(keyOfErasing(site, erased), null);
    return {
      site,
      rows,
      windows,
      isSwitched: isSwitch,
      changes: changes.length,
      incomplete: missing.length,
      report: this.#left.keys.report,
      firstChanges: changes.slice(0, MAX_ANSWERED),
      ...(erased ? { erased: gone.rows, stillCounted: stillCounted.slice(0, MAX_ANSWERED) } : {}),
    };
  }

  /** After a failure: nobody folds into what was begun any more, and the report says why. */
  async giveUp(failure: unknown): Promise<void> {
    const begun = await this.#left.json<Begun>(this.#left.keys.begun);
    if (begun) await giveUpEdition(this.#deps.store, this.#deps.clock, begun.site, begun.space);
    await this.#left.write(this.#left.keys.report, { ...(begun && { site: begun.site }), failure });
  }
}
