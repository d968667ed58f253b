/** A derived day that changes never stays on the slow path for good, whoever dies or comes first. */
import { expect, it } from "vitest";
import { Rollup } from "../../../processors/model/rollup.ts";
import { compact } from "../../../processors/pipeline/compact.ts";
import { derive } from "../../../processors/pipeline/derive.ts";
import { Bundle, foldInto } from "../../../processors/pipeline/folding.ts";
import { decodeItem, instantKey, partition } from "../../../processors/pipeline/rollups.ts";
import { listSites } from "../../../processors/pipeline/sites.ts";
import { markDerived } from "../../../processors/pipeline/stale.ts";
import type { Store } from "../../../processors/stores/store.ts";
import { crashingStore } from "../../kit/crash.ts";
import { DAY, NOON, post, SITE, view } from "./lines.ts";
import { compactAll, interrupted, recordsOf, rig, SHARD } from "./rig.ts";

const dateOf = (at: number): string => new Date(at).toISOString().slice(0, 10);

const isDerived = async (store: Store, date: string): Promise<boolean> => {
  const item = await store.get({ pk: partition("day", SITE), sk: date });
  return item !== undefined && decodeItem(item).rollup !== undefined;
};

it("whoever dies while marking a day, the next compaction derives it, also when the cursor has passed", async () => {
  const { store, clock, worker } = await rig();
  await worker().process(recordsOf([post({ at: NOON, e: [view("/")] })]));
  clock.advance(2 * DAY);
  await compactAll(store, clock);
  expect(await isDerived(store, dateOf(NOON))).toBe(true);
  for (let operations = 0; operations < 8; operations++) {
    for (const afterEffect of [false, true]) {
      const dying = crashingStore(store, operations, afterEffect);
      await markDerived(dying, SITE, [dateOf(NOON)]).catch(() => {});
      await compactAll(store, clock);
      expect(await isDerived(store, dateOf(NOON)), `${operations} operations, ${afterEffect}`).toBe(true);
    }
  }
});

it("a day whose first hour is written before the first announcement, by somebody who does not see it, is derived", async () => {
  const { store, clock, worker } = await rig();
  await worker().process(recordsOf([post({ at: NOON, e: [view("/")] })]));
  await compactAll(store, clock);
  clock.advance(2 * DAY);
  const earlier = NOON - 3 * DAY;
  const rollup = new Rollup();
  rollup.totals.events = 1;
  let isWritten = false;
  const overtaken = interrupted(store, async (operation, pk) => {
    if (isWritten || operation !== "put" || pk !== "built") return;
    isWritten = true;
    const key = { pk: partition("hour", SITE), sk: instantKey(earlier) };
    const bundle = new Bundle({ shard: SHARD.id, n: 9, rollup });
    await foldInto(store, key, [bundle], new Map([[SHARD.id, 9]]), { now: clock.now() });
    await markDerived(store, SITE, [dateOf(earlier)]);
  });
  const sites = new Map((await listSites(store)).map((site) => [site.id, site]));
  await derive({ store: overtaken, clock }, sites);
  await compactAll(store, clock);
  expect(isWritten).toBe(true);
  expect(await isDerived(store, dateOf(earlier))).toBe(true);
});

it("a day that is still filled by an import waits to be derived until nothing more comes for it, and is read by its hours until then", async () => {
  const { store, clock, worker } = await rig();
  const [first, second] = recordsOf([
    post({ at: NOON, e: [view("/")] }),
    post({ at: NOON + DAY, e: [view("/")] }),
  ]);
  const run = () => compact({ store, clock, leavesChanged: true });
  await worker().process([first!]);
  clock.advance(3 * DAY);
  await run();
  expect(await isDerived(store, dateOf(NOON))).toBe(false);
  await worker().process([second!]);
  await run();
  expect(await isDerived(store, dateOf(NOON))).toBe(true);
  expect(await isDerived(store, dateOf(NOON + DAY))).toBe(false);
  expect(await run()).toMatchObject({ commits: 0, more: false });
  expect(await isDerived(store, dateOf(NOON + DAY))).toBe(true);
});
