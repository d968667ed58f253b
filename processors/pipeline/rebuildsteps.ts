/**
 * A rebuild cut into steps that a workflow calls, for archives that one process cannot fold. Order matters for one
 * visitor only, so visitors are divided into lots that are folded side by side, and what they add up to is merged. Each
 * step may be called again, after it failed or succeeded, and changes nothing then. Knows nothing of the workflow.
 */
import type { ArchiveObjects } from "../archives/objects.ts";
import { ClickstreamError } from "../errors.ts";
import { type ArchiveRow, compareRows, rowsOfSite } from "../model/archive.ts";
import { Rollup } from "../model/rollup.ts";
import { type Clock, DAY_MS, type EpochMs } from "../model/time.ts";
import { addDays, dayStart, localDate } from "../model/zone.ts";
import type { Store } from "../stores/store.ts";
import { compareSequences } from "../streams/stream.ts";
import { archiveStore } from "./archive.ts";
import { committedTo, listShards } from "./commit.ts";
import { markDerived } from "./derive.ts";
import { giveUpEdition, readEdition, switchEdition } from "./editions.ts";
import { archiveFrom, isMinuteKept, minuteExpiry } from "./expiry.ts";
import { hoursOfTotals } from "./import/totals.ts";
import { noteRebuilt } from "./ledger.ts";
import { inPortions } from "./portions.ts";
import {
  beginRebuild,
  compactAll,
  compareWindow,
  endsOf,
  keysOf,
  type RebuildReport,
  type WindowChange,
} from "./rebuild.ts";
import {
  type Begun,
  decodeWindows,
  encodeWindows,
  keysOfRun,
  type Plan,
  parseOrder,
  type Windows,
} from "./rebuildfiles.ts";
import { copyItem, foldBase, hourOf, instantKey, partition } from "./rollups.ts";
import { addEncoded, RowFold } from "./rowfold.ts";
import { listSites } from "./sites.ts";

export interface RebuildStepDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly objects: ArchiveObjects;
  /** False when the caller's time is nearly over: a step that can go on later then answers where. */
  readonly hasTime: () => boolean;
  /** Bytes of Parquet that one call sorts or folds. Default: what fits the memory of one function. */
  readonly portionBytes?: number;
}

/** How far a step came that is called until it is done. */
export interface Progress {
  readonly isDone: boolean;
  /** For the next call; "" to begin with. */
  readonly next: string;
}

/** What lies in the bucket when it is over. */
export interface StoredReport extends Omit<RebuildReport, "incomplete"> {
  readonly site: string;
  readonly from: EpochMs;
  readonly to: EpochMs;
  readonly incomplete: readonly EpochMs[];
}

/** A million rows or less, as objects in memory some hundred megabytes. */
const PORTION_BYTES = 32 << 20;
/** The workflow passes their numbers on, and writes down a few events for each. */
const MAX_PORTIONS = 500;
const MAX_LOTS = 250;
const AT_ONCE = 16;

type Granularity = WindowChange["granularity"];
interface Window {
  readonly granularity: Granularity;
  readonly start: EpochMs;
}

export class RebuildSteps {
  readonly #deps: RebuildStepDeps;
  readonly #run: string;
  readonly #keys: ReturnType<typeof keysOfRun>;

  /** `run` names an execution; calls for the same one share what they left. */
  constructor(deps: RebuildStepDeps, run: string) {
    this.#deps = deps;
    this.#run = run;
    this.#keys = keysOfRun(run);
  }

  /** Begins an edition. Throws `bad_request` or `not_found` for what cannot be done, both name the field or site. */
  async begin(input: unknown): Promise<void> {
    const { store, clock } = this.#deps;
    const { site, from, to } = parseOrder(input);
    if (await this.#json(this.#keys.begun)) return;
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
      archivedFrom,
      // As in `rebuild`: into the day after what is archived no longer, visits may have gone on.
      from: Math.max(dayStart(zone, from), archivedFrom === 0 ? 0 : archivedFrom + DAY_MS),
      to: dayStart(zone, addDays(to, 1)),
      space,
      current: (await readEdition(store, site)).space,
      ends: Object.fromEntries(await endsOf(store, after)),
      shards: await listShards(store),
      now,
    };
    await this.#write(this.#keys.begun, begun);
  }

  /** Whether the archive's own consumer has handed over all rows that this rebuild will count. */
  async hasArrived(): Promise<boolean> {
    const { ends, now } = await this.#begun();
    const archive = archiveStore(this.#deps.store);
    for (const [shard, { to, committedAt }] of Object.entries(ends)) {
      const archived = await committedTo(archive, shard);
      // A shard that ended before there was an archive: the stream has forgotten it, and nothing will come.
      if (archived === "" && committedAt < now - DAY_MS) continue;
      if (archived === "" || compareSequences(archived, to) < 0) return false;
    }
    return true;
  }

  /** Cuts the work. All objects of the site, because a visitor of the first day may have come long before it. */
  async plan(): Promise<{ readonly portions: readonly number[]; readonly lots: readonly number[] }> {
    const plan = (await this.#json<Plan>(this.#keys.plan)) ?? (await this.#cut());
    return { portions: plan.portions.map((_, i) => i), lots: Array.from({ length: plan.lots }, (_, i) => i) };
  }

  async #cut(): Promise<Plan> {
    const { site } = await this.#begun();
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
    await this.#write(this.#keys.plan, plan);
    return plan;
  }

  /** Divides the rows of a portion among the lots. */
  async sort(portion: number): Promise<void> {
    const { objects } = this.#deps;
    const { site, ends, archivedFrom } = await this.#begun();
    const { portions, lots } = await this.#planned();
    const rowsOf: ArchiveRow[][] = Array.from({ length: lots }, () => []);
    const since: Record<string, EpochMs> = {};
    for (const key of portions[portion] ?? []) {
      for (const row of await objects.readRows(key, site)) {
        const end = ends[row.shard];
        if (row.at < archivedFrom) continue;
        if (row.site !== site || !end || compareSequences(row.sequence, end.to) > 0) continue;
        rowsOf[lotOf(row, lots)]!.push(row);
        if (row.rejected === null)
          since[row.shard] = Math.min(since[row.shard] ?? row.received_at, row.received_at);
      }
    }
    await inPortions(
      rowsOf.map((rows, lot) => ({ rows, lot })).filter(({ rows }) => rows.length > 0),
      AT_ONCE,
      ({ rows, lot }) => objects.writeRows(`${this.#keys.rows(lot)}${portion}.parquet`, rows),
    );
    await this.#write(`${this.#keys.since}${portion}.json`, since);
  }

  /** Folds the rows of a lot of visitors. */
  async fold(lot: number): Promise<void> {
    const { objects } = this.#deps;
    const { site, zone, keep, now, shards } = await this.#begun();
    const known = { timeZone: zone, ...(keep ? { keep } : {}) };
    const rows: ArchiveRow[] = [];
    for (const { key } of await objects.list(this.#keys.rows(lot)))
      for (const row of await objects.readRows(key, site)) rows.push(row);
    rows.sort(compareRows);
    const windows = { hours: new Map<EpochMs, Uint8Array>(), minutes: new Map<EpochMs, Uint8Array>() };
    const fold = new RowFold({
      shards,
      hourOf: (minute) => hourOf(zone, minute),
      hasMinutes: (minute) => isMinuteKept(known, minute, now),
      since: await this.#since(),
      ...windows,
    });
    rows.forEach((row, i) => {
      if (i === 0 || compareRows(rows[i - 1]!, row) !== 0) fold.add(row);
    });
    const incomplete = fold.finish();
    await objects.put(this.#keys.windows(lot), encodeWindows({ ...windows, incomplete, rows: fold.rows }));
  }

  /** By shard, when the first row of all lots was received. */
  async #since(): Promise<Map<string, EpochMs>> {
    const since = new Map<string, EpochMs>();
    await inPortions(await this.#deps.objects.list(this.#keys.since), AT_ONCE, async ({ key }) => {
      for (const [shard, at] of Object.entries((await this.#json<Record<string, EpochMs>>(key)) ?? {}))
        since.set(shard, Math.min(since.get(shard) ?? at, at));
    });
    return since;
  }

  /** Adds up the lots, always in the same order. */
  async merge(): Promise<void> {
    const { objects, store } = this.#deps;
    const { lots } = await this.#planned();
    const { site } = await this.#begun();
    const merged = {
      rows: 0,
      hours: new Map<EpochMs, Uint8Array>(),
      minutes: new Map<EpochMs, Uint8Array>(),
      incomplete: await hoursOfTotals(store, site),
    };
    for (let lot = 0; lot < lots; lot++) {
      const { rows, hours, minutes, incomplete } = await this.#windows(this.#keys.windows(lot));
      merged.rows += rows;
      for (const [start, bytes] of hours) addEncoded(merged.hours, start, Rollup.decode(bytes));
      for (const [start, bytes] of minutes) addEncoded(merged.minutes, start, Rollup.decode(bytes));
      for (const hour of incomplete) merged.incomplete.add(hour);
    }
    await objects.put(this.#keys.merged, encodeWindows(merged));
  }

  /** Puts windows into the new edition: those of the archive, and copies of all that are not replaced. */
  async put(next: string): Promise<Progress> {
    const { store, clock } = this.#deps;
    const begun = await this.#begun();
    const { current, space, zone, keep } = begun;
    const known = { timeZone: zone, ...(keep ? { keep } : {}) };
    const merged = await this.#windows(this.#keys.merged);
    const progress = await this.#eachWindow(begun, merged, next, async ({ granularity, start }) => {
      const key = { pk: partition(granularity, space), sk: instantKey(start) };
      if (!isMadeAgain(begun, merged, start)) {
        await copyItem(store, partition(granularity, current), key.pk, key.sk);
        return;
      }
      const bytes = (granularity === "hour" ? merged.hours : merged.minutes).get(start);
      const expiresAt = granularity === "minute" ? minuteExpiry(known, start) : undefined;
      if (bytes) await foldBase(store, key, Rollup.decode(bytes), expiresAt);
    });
    if (!progress.isDone) return progress;
    // Days may have been derived while their hours were still being written.
    const dates = new Set<string>();
    for await (const sk of keysOf(store, partition("hour", space))) dates.add(localDate(zone, Number(sk)));
    await markDerived(store, space, dates);
    await compactAll(store, clock);
    return progress;
  }

  /** Compares the windows that were made again with those that are read. */
  async compare(next: string): Promise<Progress> {
    const { store, clock } = this.#deps;
    const begun = await this.#begun();
    const merged = await this.#windows(this.#keys.merged);
    const changes: WindowChange[] = [];
    let windows = 0;
    const progress = await this.#eachWindow(begun, merged, next, async (window) => {
      if (!isMadeAgain(begun, merged, window.start)) return;
      windows++;
      const change = await compareWindow(store, clock, begun, window);
      if (change) changes.push(change);
    });
    await this.#write(`${this.#keys.changes}${next || "first"}.json`, { windows, changes });
    return progress;
  }

  /** Writes the report, and switches to what was made or gives it up. Throws `unavailable` if another rebuild took its place. */
  async end(isSwitch: boolean): Promise<Record<string, unknown>> {
    const { store, clock, objects } = this.#deps;
    const { site, from, to, space } = await this.#begun();
    const { rows, incomplete } = await this.#windows(this.#keys.merged);
    const changes: WindowChange[] = [];
    let windows = 0;
    for (const { key } of await objects.list(this.#keys.changes)) {
      const part = await this.#json<{ windows: number; changes: WindowChange[] }>(key);
      windows += part?.windows ?? 0;
      changes.push(...(part?.changes ?? []));
    }
    changes.sort((a, b) => a.start - b.start || (a.granularity < b.granularity ? -1 : 1));
    const missing = [...incomplete].filter((hour) => hour >= from && hour < to).sort((a, b) => a - b);
    const report: StoredReport = {
      ...{ site, from, to, rows, windows },
      ...{ changes, incomplete: missing, isSwitched: isSwitch },
    };
    if (isSwitch) {
      const minutes = changes.filter(({ granularity }) => granularity === "minute");
      if (minutes.length > 0)
        await noteRebuilt(
          store,
          clock,
          site,
          minutes.map(({ start }) => start),
        );
      if (!(await switchEdition(store, clock, site, space)))
        throw new ClickstreamError("unavailable", `site ${site}: another rebuild began meanwhile`);
    } else await giveUpEdition(store, clock, site, space);
    await this.#write(this.#keys.report, report);
    return {
      ...{ site, rows, windows, isSwitched: isSwitch },
      ...{ changes: changes.length, incomplete: missing.length, report: this.#keys.report },
    };
  }

  /** After a failure: nobody folds into what was begun any more, and the report says why. */
  async giveUp(failure: unknown): Promise<void> {
    const begun = await this.#json<Begun>(this.#keys.begun);
    if (begun) await giveUpEdition(this.#deps.store, this.#deps.clock, begun.site, begun.space);
    await this.#write(this.#keys.report, { ...(begun && { site: begun.site }), failure });
  }

  /** Does something for each window of the site, a few at once, for as long as there is time. */
  async #eachWindow(
    { current }: Begun,
    merged: Windows,
    next: string,
    work: (window: Window) => Promise<void>,
  ): Promise<Progress> {
    let some: Window[] = [];
    const flush = async (): Promise<void> => {
      await inPortions(some, AT_ONCE, work);
      some = [];
    };
    for await (const window of windowsAfter(this.#deps.store, current, merged, next)) {
      some.push(window);
      if (some.length < AT_ONCE) continue;
      await flush();
      if (!this.#deps.hasTime())
        return { isDone: false, next: `${window.granularity}-${instantKey(window.start)}` };
    }
    await flush();
    return { isDone: true, next: "" };
  }

  async #begun(): Promise<Begun> {
    return this.#needed(await this.#json<Begun>(this.#keys.begun), this.#keys.begun);
  }

  async #planned(): Promise<Plan> {
    return this.#needed(await this.#json<Plan>(this.#keys.plan), this.#keys.plan);
  }

  async #windows(key: string): Promise<Windows> {
    return decodeWindows(this.#needed(await this.#deps.objects.get(key), key));
  }

  #needed<T>(found: T | undefined, key: string): T {
    if (found === undefined) throw new ClickstreamError("not_found", `rebuild ${this.#run}: ${key} is gone`);
    return found;
  }

  async #json<T>(key: string): Promise<T | undefined> {
    const bytes = await this.#deps.objects.get(key);
    return bytes && (JSON.parse(new TextDecoder().decode(bytes)) as T);
  }

  async #write(key: string, value: unknown): Promise<void> {
    await this.#deps.objects.put(key, new TextEncoder().encode(JSON.stringify(value)));
  }
}

/** The last digits of a pseudonym are as good as random. What belongs to no visitor needs no order. */
const lotOf = ({ visitor }: ArchiveRow, lots: number): number =>
  visitor === null ? 0 : Number.parseInt(visitor.slice(8, 16), 16) % lots;

const isMadeAgain = ({ from, to, zone }: Begun, { incomplete }: Windows, start: EpochMs): boolean =>
  start >= from && start < to && !incomplete.has(hourOf(zone, start));

/** Windows that are read or were folded, each once, hours first, in the order of time, those after `after`. */
async function* windowsAfter(
  store: Store,
  current: string,
  merged: Windows,
  after: string,
): AsyncGenerator<Window> {
  const [reached = "", sk = ""] = after.split("-");
  for (const granularity of ["hour", "minute"] as const) {
    if (reached === "minute" && granularity === "hour") continue;
    const from = reached === granularity ? sk : "";
    const folded = [...(granularity === "hour" ? merged.hours : merged.minutes).keys()]
      .filter((start) => instantKey(start) > from)
      .sort((a, b) => b - a);
    for await (const key of keysOf(store, partition(granularity, current), from)) {
      const live = Number(key);
      for (let start = folded.at(-1); start !== undefined && start <= live; start = folded.at(-1)) {
        folded.pop();
        if (start < live) yield { granularity, start };
      }
      yield { granularity, start: live };
    }
    for (let start = folded.pop(); start !== undefined; start = folded.pop()) yield { granularity, start };
  }
}
