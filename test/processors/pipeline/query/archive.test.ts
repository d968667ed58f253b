/** What goes to an archive, and what the engine makes of its counts: order, pages, comparison and honesty as with rollups. */
import { beforeEach, describe, expect, it } from "vitest";
import { Measures } from "../../../../processors/model/measures.ts";
import { StillRunning } from "../../../../processors/pipeline/explore/running.ts";
import type { ArchiveQuestion, QueryArchive } from "../../../../processors/pipeline/query/archive.ts";
import { QueryEngine } from "../../../../processors/pipeline/query/engine.ts";
import { MergedTally } from "../../../../processors/pipeline/query/metrics.ts";
import { DAY, MINUTE, NOON, SITE } from "../lines.ts";
import { type Rig, rig } from "../rig.ts";

const ARCHIVED_UNTIL = NOON - 5 * MINUTE;
let asked: ArchiveQuestion[];
let r: Rig;

/** Counts so many page views of `/a` and `/b` by source as the table says, in every range. */
function archiveOf(
  pageviews: readonly (readonly [page: string, source: string, count: number])[],
): QueryArchive {
  return {
    async answer(question) {
      asked.push(question);
      const rows = pageviews.map(([page, source, count]) => {
        const measures = new Measures();
        measures.pageviews = question.range.to > NOON ? count : 1;
        return { at: 0, values: [page, source], tally: new MergedTally(measures) };
      });
      return { rows, allVisitors: 8, late: 3, archivedUntil: ARCHIVED_UNTIL };
    },
  };
}

const engine = (archive?: QueryArchive): QueryEngine =>
  new QueryEngine({
    store: r.store,
    clock: r.clock,
    lagMs: async () => 0,
    ...(archive ? { archive } : {}),
  });
const body = (more: object) => ({ site_id: SITE, metrics: ["pageviews"], date_range: "7d", ...more });
const BY_TWO = { dimensions: ["event:page", "visit:source"] };

beforeEach(async () => {
  asked = [];
  r = await rig();
});

describe("an archive", () => {
  const archive = archiveOf([
    ["/a", "Google", 2],
    ["/b", "Google", 5],
    ["/a", "Bing", 4],
  ]);

  it("answers two dimensions at once, in order, in pages, compared, and says how far it reaches", async () => {
    const answer = await engine(archive).query(
      body({
        ...BY_TWO,
        pagination: { limit: 2 },
        include: { total_rows: true, compare: "previous_period" },
      }),
    );
    expect(answer.results.map(({ dimensions, metrics }) => [...dimensions, ...metrics])).toEqual([
      ["/b", "Google", 5],
      ["/a", "Bing", 4],
    ]);
    expect(answer.results[0]?.comparison).toMatchObject({ metrics: [1], change: [400] });
    expect(answer.meta).toMatchObject({
      source: "archive",
      late: 3,
      total_rows: 3,
      complete_until: ARCHIVED_UNTIL,
    });
    expect(asked.map(({ range }) => range.to - range.from)).toEqual([7 * DAY, expect.any(Number)]);
  });

  it("is not asked again for what it told, when the rest took longer than the request waited", async () => {
    let isSlow = true;
    const slow = engine({
      answer(question) {
        if (question.range.to > NOON || !isSlow) return archive.answer(question);
        isSlow = false;
        throw new StillRunning({ done: undefined, elapsedMs: 5_000 });
      },
    });
    const compared = body({ ...BY_TWO, include: { compare: "previous_period" } });
    await expect(slow.query(compared)).rejects.toThrow(StillRunning);
    expect((await slow.query(compared)).results).toHaveLength(3);
    expect(asked.map(({ range }) => range.to > NOON)).toEqual([true, false]);
    await slow.query(compared);
    expect(asked, "both anew").toHaveLength(4);
    isSlow = true;
    await expect(slow.query(compared)).rejects.toThrow(StillRunning);
    r.clock.advance(15_000);
    await slow.query(compared);
    expect(asked, "nobody came in time").toHaveLength(7);
  });

  it.each<[string, object, "archive" | "rollup"]>([
    ["half an hour of last month", { date_range: ["2026-03-01T10:00:00", "2026-03-01T10:30:00"] }, "archive"],
    ["a quarter at the end", { date_range: ["2026-03-01T10:00:00", "2026-03-02T10:15:00"] }, "archive"],
    ["whole hours of last month", { date_range: ["2026-03-01T10:00:00", "2026-03-01T12:00:00"] }, "rollup"],
    [
      "whole hours by minute",
      { date_range: ["2026-03-01T10:00:00", "2026-03-01T12:00:00"], dimensions: ["time:minute"] },
      "archive",
    ],
    ["minutes of today", { date_range: "realtime" }, "rollup"],
  ])("answers for minutes that are kept nowhere else: %s", async (_, more, source) => {
    r.clock.advanceTo(Math.max(NOON, Date.UTC(2026, 3, 2, 12)));
    const answer = await engine(archiveOf([])).query(body(more));
    expect(answer.meta.source).toBe(source);
  });

  it.each<[string, object]>([
    ["a filter on another dimension", { dimensions: ["event:page"], filters: [["is", "visit:os", ["iOS"]]] }],
    [
      "filters on two dimensions",
      {
        filters: [
          ["is", "visit:os", ["iOS"]],
          ["is", "event:page", ["/"]],
        ],
      },
    ],
    ["behaviour", { filters: [["has_done", ["is", "event:goal", ["signup"]]]] }],
    [
      "web vitals by a dimension that rollups keep none of",
      { metrics: ["lcp_p75"], dimensions: ["visit:os"] },
    ],
    [
      "visit metrics of visits with a goal",
      { metrics: ["bounce_rate"], filters: [["is", "event:goal", ["a"]]] },
    ],
  ])("is asked for %s", async (_, more) => {
    const { meta, query } = await engine(archiveOf([])).query(body(more));
    expect(meta.source).toBe("archive");
    expect(query.filters).toEqual((more as { filters?: unknown }).filters ?? []);
  });

  it("is not asked for what rollups hold", async () => {
    const { meta } = await engine(archive).query(body({ dimensions: ["event:page"] }));
    expect(meta.source).toBe("rollup");
    expect(asked).toEqual([]);
  });

  it("that counted nothing gives a total of nothing, and no rows", async () => {
    const total = await engine(archiveOf([])).query(
      body({ filters: [["has_done", ["is", "event:page", ["/"]]]] }),
    );
    expect(total.results).toEqual([{ metrics: [0], dimensions: [] }]);
    expect((await engine(archiveOf([])).query(body(BY_TWO))).results).toEqual([]);
  });

  it("where there is none, leaves the question refused by name", async () => {
    await expect(engine().query(body(BY_TWO))).rejects.toMatchObject({
      code: "no_archive",
      message: expect.stringMatching(/^dimensions: /),
    });
  });
});
