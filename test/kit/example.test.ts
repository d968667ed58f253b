import { generate, replay } from "rivulet/testing";
import { expect, it } from "vitest";

const from = Date.UTC(2026, 0, 5, 9);
const lines = [...generate({ seed: 7, from, to: from + 3_600_000, events: 500 })];
const query = {
  site_id: "demo",
  metrics: ["visitors", "pageviews"],
  date_range: ["2026-01-05", "2026-01-05"],
};

it("counts the same whatever happens on the way", async () => {
  const calm = await replay(lines);
  const rough = await replay(lines, { seed: 42, duplicates: 0.2, shuffle: 5_000, crashAt: "random" });

  expect(await rough.rollups()).toEqual(await calm.rollups());
  expect((await rough.query(query)).results).toEqual([{ metrics: [41, 153], dimensions: [] }]);
});
