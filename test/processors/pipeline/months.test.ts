/** Months: derived from days once no event can come for them, right whoever dies or meets, and never needed for an answer. */
import { describe, expect, it } from "vitest";
import { Rollup } from "../../../processors/model/rollup.ts";
import { derive } from "../../../processors/pipeline/derive.ts";
import { foldBase, packWindow } from "../../../processors/pipeline/folding.ts";
import { QueryEngine } from "../../../processors/pipeline/query/engine.ts";
import { decodeItem, instantKey, partition } from "../../../processors/pipeline/rollups.ts";
import { markDerived } from "../../../processors/pipeline/stale.ts";
import { ByteWriter } from "../../../processors/sketches/bytes.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import type { Store } from "../../../processors/stores/store.ts";
import { crashingStore } from "../../kit/crash.ts";
import { wholeRollup } from "../../kit/rollups.ts";
import { DAY, HOUR, post, SITE, view } from "./lines.ts";
import { compactAll, interrupted, type Rig, recordsOf, rig } from "./rig.ts";

const MONTH = "2026-02";
const START = Date.UTC(2026, 1, 1, 12);
/** When no event can come for February any more, by a day. */
const LATER = Date.UTC(2026, 2, 10);
const sites = new Map([[SITE, { timeZone: "UTC" }]]);
const YEAR = { site_id: SITE, metrics: ["visitors", "visits", "pageviews"], date_range: "12mo" };
const QUESTIONS = [
  YEAR,
  { ...YEAR, dimensions: ["event:page"] },
  { ...YEAR, metrics: ["visitors", "bounce_rate"], dimensions: ["event:page"] },
  { ...YEAR, dimensions: ["time:month", "visit:country"] },
  { ...YEAR, dimensions: ["time:week"] }, // by days
];

/** Three days of February and two of March, each with views of two pages, all compacted. */
async function winter(): Promise<Rig> {
  const made = await rig({ start: START });
  const { store, clock, worker } = made;
  for (const [i, day] of [0, 13, 27, 30, 34].entries()) {
    clock.advanceTo(START + day * DAY);
    const line = post({ at: clock.now(), ip: `192.0.2.${i}`, e: [view("/"), view(`/${i}`)] });
    await worker().process(recordsOf([line], 8 + i));
    clock.advance(HOUR);
    await compactAll(store, clock);
  }
  return made;
}

const monthOf = async (store: Store): Promise<Rollup | undefined> => {
  const item = await store.get({ pk: partition("month", SITE), sk: MONTH });
  return item && wholeRollup(store, "month", SITE, item);
};

const answers = async ({ clock, store }: Pick<Rig, "clock" | "store">) => {
  const engine = new QueryEngine({ store, clock, lagMs: async () => 0 });
  const found = [];
  for (const question of QUESTIONS) found.push((await engine.query(question)).results);
  return found;
};

describe("a month", () => {
  it("is derived a week after its end, and answers for its days without these being read", async () => {
    const { store, clock } = await winter();
    expect(await monthOf(store)).toBeUndefined();
    const before = await answers({ store, clock });
    clock.advanceTo(LATER);
    await compactAll(store, clock);
    expect((await monthOf(store))?.totals.pageviews).toBe(6);
    expect(await answers({ store, clock })).toEqual(before);
    const read: string[] = [];
    const watched = interrupted(store, async (operation, pk) => {
      if (operation === "list" || operation === "getMany") read.push(pk);
    });
    const engine = new QueryEngine({ store: watched, clock, lagMs: async () => 0 });
    const { results } = await engine.query(QUESTIONS[1]);
    expect(results[0]).toEqual({ metrics: [5, 5, 5], dimensions: ["/"] });
    expect(read).toContain(partition("month-tables", SITE));
    // Of February nothing else is read: its hours and days may be gone.
    for (const kind of ["hour", "day", "day-tables"] as const) {
      const end = kind === "hour" ? instantKey(Date.UTC(2026, 2, 1)) : "2026-03";
      await store.delete(await store.list(partition(kind, SITE), { to: end }));
    }
    expect((await answers({ store, clock })).slice(0, 4)).toEqual(before.slice(0, 4));
  });

  it("that changes is stale until it is derived again from days that are; answers are right all the while", async () => {
    const { store, clock } = await winter();
    clock.advanceTo(LATER);
    await compactAll(store, clock);
    const imported = new Rollup();
    imported.totals.pageviews = 1;
    imported.row("event:page", "/old")!.pageviews = 1;
    const hour = START + 5 * DAY;
    await foldBase(store, { pk: partition("hour", SITE), sk: instantKey(hour) }, packWindow(imported), {
      now: clock.now(),
    });
    await markDerived(store, SITE, ["2026-02-06"]);
    expect(await monthOf(store)).toBeUndefined();
    const changed = await answers({ store, clock });
    expect(changed[0]?.[0]?.metrics[2]).toBe(11);
    let operations = 0;
    const watching = interrupted(store, async () => {
      if (operations++ % 30 === 0) expect(await answers({ store, clock })).toEqual(changed);
    });
    await derive({ store: watching, clock }, sites);
    expect((await monthOf(store))?.totals.pageviews).toBe(7);
    expect(await answers({ store, clock })).toEqual(changed);
  });

  it("is derived in the end, whoever dies while deriving, and with the same tables", async () => {
    const undisturbed = await winter();
    undisturbed.clock.advanceTo(LATER);
    await compactAll(undisturbed.store, undisturbed.clock);
    const expected = (await monthOf(undisturbed.store))!.encode();
    const { store, clock } = await winter();
    clock.advanceTo(LATER);
    const right = await answers({ store, clock });
    let crashes = 0;
    for (let operations = 0; ; operations += 11) {
      const dying = crashingStore(store, operations, operations % 2 === 0);
      const isDone = await derive({ store: dying, clock }, sites).then(
        () => true,
        () => false,
      );
      expect(await answers({ store, clock }), `after ${operations} operations`).toEqual(right);
      if (isDone) break;
      crashes++;
    }
    expect(crashes).toBeGreaterThan(2);
    expect((await monthOf(store))!.encode()).toEqual(expected);
  });

  it("is not put by one who read a day before it changed, wherever the change comes in between", async () => {
    for (let at = 0; ; at += 9) {
      const { store, clock } = await winter();
      clock.advanceTo(LATER);
      let operations = 0;
      let hasChanged = false;
      const meeting = interrupted(store, async () => {
        if (operations++ !== at) return;
        hasChanged = true;
        const more = new Rollup();
        more.totals.pageviews = 10;
        more.row("event:page", "/")!.pageviews = 10;
        await foldBase(
          store,
          { pk: partition("hour", SITE), sk: instantKey(START + DAY) },
          packWindow(more),
          {
            now: clock.now(),
          },
        );
        await markDerived(store, SITE, ["2026-02-02"]);
        // Another one derives the day meanwhile, so that tables of two derivations lie side by side.
        await derive({ store, clock }, sites);
      });
      await derive({ store: meeting, clock }, sites);
      if (!hasChanged) break;
      const month = await monthOf(store);
      if (month) expect(month.totals.pageviews, `changed before operation ${at}`).toBe(16);
      if (month) expect(month.table("event:page")?.get("/")?.pageviews).toBe(13);
      await derive({ store, clock }, sites);
      expect((await monthOf(store))?.totals.pageviews, `changed before operation ${at}`).toBe(16);
    }
  });
});

it("days that an earlier version wrote, with their tables inside, are read, and months derived from them", async () => {
  const { store, clock } = await winter();
  clock.advanceTo(LATER);
  const expected = await answers({ store, clock });
  const old = memoryStore({ clock });
  for (const pk of ["site", "edition", "cursor", "built", "stale", "shard"])
    for (const { sk, value } of await store.list(pk)) await old.put({ pk, sk, value }, 0);
  for (const { sk, value } of await store.list(partition("hour", SITE)))
    await old.put({ pk: partition("hour", SITE), sk, value }, 0);
  for (const item of await store.list(partition("day", SITE))) {
    const rollup = await wholeRollup(store, "day", SITE, item);
    const { applied } = decodeItem(item);
    const writer = new ByteWriter();
    writer.byte(1); // version
    writer.byte(1); // it holds a rollup
    writer.varint(applied.size);
    for (const [shard, n] of applied) {
      writer.text(shard);
      writer.varint(n);
    }
    writer.bytes(rollup!.encode());
    await old.put({ pk: item.pk, sk: item.sk, value: writer.finish() }, 0);
  }
  expect(await answers({ store: old, clock })).toEqual(expected);
  await derive({ store: old, clock }, sites);
  expect((await monthOf(old))?.totals.pageviews).toBe(6);
  expect(await answers({ store: old, clock })).toEqual(expected);
});
