/** All rows of a query, some buckets of time at a time: the same as at once, and refused before the first of them. */
import { expect, it } from "vitest";
import { collected } from "../../../kit/collected.ts";
import { DAY, HOUR, NOON, post, SITE, view } from "../lines.ts";
import { compactAll, recordsOf, rig } from "../rig.ts";

/** A visit each three hours for five days, the last hours of which are not over. */
async function visited() {
  const made = await rig({ start: NOON - 5 * DAY });
  const { store, clock, worker } = made;
  for (let i = 0; i < 40; i++) {
    const line = post({
      at: clock.now(),
      ip: `192.0.2.${i % 7}`,
      e: [view("/"), view(`/${i % 3}`)],
    });
    await worker().process(recordsOf([line], 8 + i));
    clock.advance(3 * HOUR);
    if (i % 10 === 5) await compactAll(store, clock);
  }
  return made.engine();
}

const ASKED = { site_id: SITE, metrics: ["visitors", "pageviews", "percentage"], date_range: "7d" };

it.each([
  { dimensions: ["time:hour", "event:page"], portions: 6 },
  { dimensions: ["time:day", "event:page"], portions: 1 },
  { dimensions: ["event:page"], portions: 1 },
  {
    dimensions: ["time:hour", "event:page"],
    order_by: [
      ["time:hour", "asc"],
      ["event:page", "desc"],
    ],
    portions: 6,
  },
  { dimensions: ["time:hour", "event:page"], order_by: [["visitors", "desc"]], portions: 1 },
])("rows of $dimensions in the order $order_by come in $portions portions", async ({ portions, ...more }) => {
  const engine = await visited();
  const told = await collected((await engine.queryAll({ ...ASKED, ...more })).portions);
  const { results } = await engine.query({ ...ASKED, ...more });
  expect(told.flat()).toEqual(results);
  expect(told.length).toBeGreaterThanOrEqual(portions);
  expect(results.length).toBeGreaterThan(2);
});

it("a series has a row for every bucket that has begun", async () => {
  const engine = await visited();
  const body = { ...ASKED, dimensions: ["time:hour"] };
  const rows = (await collected((await engine.queryAll(body)).portions)).flat();
  expect(rows.length).toBe(6 * 24 + 13);
  const counted = rows.filter(({ metrics }) => metrics[1] !== 0);
  expect(counted).toEqual((await engine.query(body)).results);
});

it("what is refused is refused before the first row", async () => {
  const engine = await visited();
  const old = { ...ASKED, date_range: ["2020-01-01T00:30:00Z", "2020-01-01T01:30:00Z"] };
  await expect(engine.queryAll({ ...old, dimensions: ["time:minute"] })).rejects.toMatchObject({
    code: "bad_request",
  });
});

it("what nobody waits for any more is not read to its end", async () => {
  const engine = await visited();
  const leaves = new AbortController();
  const body = { ...ASKED, dimensions: ["time:hour", "event:page"] };
  const portions = (await engine.queryAll(body, leaves.signal)).portions[Symbol.asyncIterator]();
  expect((await portions.next()).done).toBe(false);
  leaves.abort(new Error("gone"));
  await expect(portions.next()).rejects.toThrow("gone");
  await expect(engine.queryAll({ ...body, dimensions: ["event:page"] }, leaves.signal)).rejects.toThrow(
    "gone",
  );
});
