/** How long data are kept: not read any more at once, deleted later, and nothing else touched. */
import { beforeEach, describe, expect, it } from "vitest";
import type { ArchivedRows } from "../../../processors/archives/archive.ts";
import { keyedHash } from "../../../processors/crypto.ts";
import { type ArchiveRow, compareRows } from "../../../processors/model/archive.ts";
import { ShardWorker } from "../../../processors/pipeline/aggregate.ts";
import { archiveFrom, archiveNeededFrom, type KeepSetting } from "../../../processors/pipeline/expiry.ts";
import { QueryEngine } from "../../../processors/pipeline/query/engine.ts";
import { rebuild } from "../../../processors/pipeline/rebuild/rebuild.ts";
import { type Granularity, partition } from "../../../processors/pipeline/rollups.ts";
import { keepSite, listSites, registerSites } from "../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import type { Store } from "../../../processors/stores/store.ts";
import { type ManualClock, manualClock } from "../../kit/clock.ts";
import { DAY, HOUR, MINUTE, NOON, post, SITE, view } from "./lines.ts";
import { compactAll, recordsOf, SHARD } from "./rig.ts";

const OTHER = "other.example";
const DAYS = 40;
const LAST = NOON + (DAYS - 1) * DAY;
/** Days behind UTC in which noon is. */
const ZONE = "Asia/Kolkata";

let clock: ManualClock;
let store: Store;
let rows: ArchiveRow[];
let worker: ShardWorker;
let sequence: number;

const count = async (at: number, site = SITE): Promise<void> => {
  clock.advanceTo(at);
  await worker.process(recordsOf([post({ at, site, e: [view("/")] })], sequence++));
};
const archive: ArchivedRows = {
  async *read(site) {
    yield rows.filter((row) => row.site === site).sort(compareRows);
  },
};
const keep = (wanted: KeepSetting) => keepSite(store, clock, SITE, wanted);
/** Of a reader that has just begun, as they all are five seconds later. */
const ask = (body: Record<string, unknown>, site = SITE) =>
  new QueryEngine({ store, clock, lagMs: async () => 0 }).query({
    site_id: site,
    metrics: ["pageviews", "visits"],
    ...body,
  });
const days = async (site = SITE) => {
  const { results, meta } = await ask({ date_range: "12mo", dimensions: ["time:day"] }, site);
  return { dates: results.map(({ dimensions }) => dimensions[0]), results, keptFrom: meta.kept_from };
};
const stored = async (granularity: Granularity, site = SITE) =>
  (await store.list(partition(granularity, site))).length;
const iso = (at: number): string => new Date(at).toISOString();

/** A view at noon of 40 days, for two sites. */
beforeEach(async () => {
  clock = manualClock(NOON);
  store = memoryStore({ clock });
  rows = [];
  sequence = 1_000;
  await registerSites(store, clock, [
    { id: SITE, timeZone: ZONE },
    { id: OTHER, timeZone: "UTC" },
  ]);
  worker = new ShardWorker(
    {
      clock,
      store,
      hash: keyedHash,
      randomBytes: () => new Uint8Array(16),
      country: () => "",
      archive: { write: async (more) => void rows.push(...more), close: async () => {} },
    },
    SHARD,
  );
  for (let day = 0; day < DAYS; day++) {
    await count(NOON + day * DAY);
    await count(NOON + day * DAY, OTHER);
    await compactAll(store, clock);
  }
});

describe("hours", () => {
  it("beyond the limit are not read from the next moment on, and whole days are all that is left", async () => {
    const before = await days();
    expect(before).toMatchObject({ dates: { length: DAYS }, keptFrom: undefined });
    await keep({ hours: 30 });
    const after = await days();
    expect(after.results).toEqual(before.results.slice(-31));
    expect(after.keptFrom).toBe(Date.parse("2026-01-24T00:00+05:30"));
    expect(await stored("hour")).toBe(DAYS);
    const all = await ask({ date_range: "all" });
    expect(all).toMatchObject({ results: [{ metrics: [31, 31] }], meta: { kept_from: after.keptFrom } });
  });

  it("are deleted from an hour later on, with their days, and of no other site", async () => {
    await keep({ hours: 30 });
    clock.advance(HOUR - 1);
    await compactAll(store, clock);
    expect(await stored("hour")).toBe(DAYS);
    clock.advance(1);
    await compactAll(store, clock);
    expect([await stored("hour"), await stored("hour", OTHER)]).toEqual([31, DAYS]);
    expect(await stored("day")).toBeLessThanOrEqual(31);
    expect((await days()).dates).toHaveLength(31);
    expect(await days(OTHER)).toMatchObject({ dates: { length: DAYS }, keptFrom: undefined });
  });

  it("are deleted too after a clock that ran ahead was set right", async () => {
    await keep({ minutes: 9 });
    clock.advance(30 * DAY);
    await compactAll(store, clock);
    clock.advance(-30 * DAY);
    await keep({ hours: 30 });
    clock.advance(HOUR);
    await compactAll(store, clock);
    expect(await stored("hour")).toBe(31);
  });

  it("and minutes take along what was put aside of them, and leave what was put aside of others", async () => {
    for (const granularity of ["minute", "hour"] as const)
      for (const site of [SITE, OTHER])
        for (const { sk } of await store.list(partition(granularity, site)))
          await store.put(
            { pk: partition(`${granularity}-rests`, site), sk: `${sk} rest`, value: new Uint8Array(1) },
            0,
          );
    await keep({ minutes: 8, hours: 30 });
    clock.advance(HOUR);
    await compactAll(store, clock);
    for (const granularity of ["minute", "hour"] as const) {
      const rests = (await store.list(partition(`${granularity}-rests`, SITE))).map(({ sk }) => sk);
      const left = (await store.list(partition(granularity, SITE))).map(({ sk }) => `${sk} rest`);
      expect(rests).toEqual(left);
    }
    expect(await store.list(partition("hour-rests", OTHER))).toHaveLength(DAYS);
  });

  it("go one day after the other", async () => {
    await keep({ hours: 30 });
    clock.advance(DAY);
    await compactAll(store, clock);
    expect((await days()).dates[0]).toBe("2026-01-25");
    clock.advance(DAY);
    await compactAll(store, clock);
    expect([(await days()).dates[0], await stored("hour")]).toEqual(["2026-01-26", 29]);
  });

  it("that were deleted, or may have been, do not come back when they are kept for longer", async () => {
    await keep({ hours: 30 });
    clock.advance(HOUR);
    const { keptFrom } = await days();
    await keep({ hours: null });
    clock.advance(60 * DAY);
    expect(await days()).toMatchObject({ dates: { length: 31 }, keptFrom });
  });

  it("come back when a slip is put right within half an hour", async () => {
    await keep({ hours: 30 });
    clock.advance(HOUR / 2 - 1);
    await keep({ hours: 400 });
    clock.advance(2 * HOUR);
    await compactAll(store, clock);
    expect(await days()).toMatchObject({ dates: { length: DAYS } });
  });

  it("leave no number to compare with where some of them are gone", async () => {
    await keep({ hours: 30 });
    const body = { date_range: "28d", include: { compare: "previous_period" } };
    expect((await ask(body, OTHER)).query).toHaveProperty("comparison_date_range");
    const { results, query, meta } = await ask(body);
    expect(query).not.toHaveProperty("comparison_date_range");
    expect(results).toEqual([{ metrics: [28, 28], dimensions: [] }]);
    expect(meta.kept_from).toBeDefined();
  });

  it("of a time that is wholly gone are answered with nothing", async () => {
    await keep({ hours: 30 });
    const range = ["2026-01-16", "2026-01-17"];
    expect((await ask({ date_range: range }, OTHER)).results[0]?.metrics).toEqual([2, 2]);
    const { results, query } = await ask({ date_range: range });
    expect(results[0]?.metrics.slice(0, 1)).toEqual([0]);
    expect(query.date_range).toEqual(["2026-01-16T00:00:00+05:30", "2026-01-17T23:59:59+05:30"]);
  });
});

describe("minutes", () => {
  const minute = (at: number) =>
    ask({ date_range: [iso(at), iso(at + MINUTE)], dimensions: ["time:minute"] });

  it("beyond the limit are refused at once and deleted later, and no total of an hour or day changes", async () => {
    await keep({ minutes: 30 });
    const first = LAST + 2 * HOUR;
    for (let day = 0; day <= 12; day++) await count(first + day * DAY);
    await compactAll(store, clock);
    const before = await days();
    expect((await minute(first)).results[0]?.metrics).toEqual([1, 1]);
    await keep({ minutes: 8 });
    await expect(minute(first)).rejects.toThrow("minutes are kept for 8 days");
    expect((await minute(first + 5 * DAY)).results[0]?.metrics).toEqual([1, 1]);
    expect(await stored("minute")).toBeGreaterThanOrEqual(13);
    clock.advance(HOUR);
    await compactAll(store, clock);
    // Seven days and today; those of the other site went by their own time to live.
    expect([await stored("minute"), await stored("minute", OTHER)]).toEqual([8, 0]);
    expect((await days()).results).toEqual(before.results);
    const hour = { date_range: [iso(first - HOUR / 2), iso(first + HOUR / 2)], dimensions: ["time:hour"] };
    expect((await ask(hour)).results[0]?.metrics).toEqual([1, 1]);
  });

  it("counted after they are kept for longer are there for longer, and those before for as long as they were", async () => {
    await keep({ minutes: 30 });
    const later = LAST + 2 * HOUR;
    await count(later);
    await compactAll(store, clock);
    clock.advanceTo(later + 12 * DAY);
    expect((await minute(later)).results[0]?.metrics).toEqual([1, 1]);
    await expect(minute(LAST)).rejects.toThrow("minutes are kept");
    clock.advanceTo(later + 30 * DAY);
    await expect(minute(later)).rejects.toThrow("minutes are kept for 30 days");
  });
});

describe("the archive", () => {
  it("has a limit of its own, by the days of the site, and its files wait an hour", async () => {
    await keep({ archive: 10 });
    const [site] = (await listSites(store)).filter(({ id }) => id === SITE);
    const from = Date.parse("2026-02-13T00:00+05:30");
    expect(archiveFrom(site!, clock.now())).toBe(from);
    expect(archiveNeededFrom(await listSites(store), clock.now())).toEqual(new Map());
    clock.advance(HOUR);
    expect(archiveNeededFrom(await listSites(store), clock.now())).toEqual(new Map([[SITE, from]]));
  });
});

describe("a rebuild", () => {
  it("brings nothing back that is not kept any more", async () => {
    await keep({ hours: 30 });
    clock.advance(HOUR);
    const before = await days();
    const { isSwitched } = await rebuild({ store, clock, archive }, { site: SITE });
    expect(isSwitched).toBe(true);
    expect(await stored("hour", `${SITE}@1`)).toBe(31);
    expect(await stored("minute", `${SITE}@1`)).toBe(8);
    await keep({ hours: null });
    expect((await days()).results).toEqual(before.results);
  });

  it("leaves out nothing that a slip hides, which is put right within half an hour", async () => {
    const before = await days();
    await keep({ hours: 30 });
    await rebuild({ store, clock, archive }, { site: SITE });
    clock.advance(HOUR / 2 - 1);
    await keep({ hours: null });
    // By then the edition from before is deleted.
    clock.advance(2 * HOUR);
    await compactAll(store, clock);
    expect((await days()).results).toEqual(before.results);
  });

  it("leaves the windows as they are of which the archive keeps no events", async () => {
    const before = await days();
    await keep({ archive: 10 });
    // Whether the files are deleted by now makes no difference.
    const kept = rows.filter(({ at }) => at >= LAST - 10 * DAY);
    const first = await rebuild({ store, clock, archive }, { site: SITE });
    rows = kept;
    const second = await rebuild({ store, clock, archive }, { site: SITE });
    for (const report of [first, second]) expect(report.changes).toEqual([]);
    expect((await days()).results).toEqual(before.results);
  });
});

it("days that cannot be are refused by name, and change nothing", async () => {
  for (const [wanted, problem] of [
    [{ minutes: 7 }, "minutes can be kept for 8 to 90 days"],
    [{ minutes: 91 }, "minutes can be kept for 8 to 90 days"],
    [{ minutes: null }, "minutes can be kept"],
    [{ hours: 29 }, "hours can be kept for 30 to"],
    [{ hours: 30, minutes: 31 }, "minutes are kept for longer"],
    [{ archive: 1.5 }, "archive can be kept"],
  ] as const)
    await expect(keep(wanted)).rejects.toMatchObject({
      code: "config",
      message: expect.stringContaining(problem),
    });
  expect((await listSites(store)).every((site) => site.keep === undefined)).toBe(true);
  expect(await keepSite(store, clock, "nobody", { hours: 30 })).toBeUndefined();
});
