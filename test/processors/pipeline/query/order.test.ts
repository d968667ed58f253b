/** A page holds the same rows in the same order, whether all rows are sorted for it or only its own are looked for. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { pageOf } from "../../../../processors/pipeline/query/order.ts";
import { parseRequest } from "../../../../processors/pipeline/query/request.ts";

it("pages of any size, put together, are all rows in order", () => {
  const row = fc.record({ count: fc.nat(5), slack: fc.nat(4), name: fc.string({ maxLength: 3 }) });
  const rows = fc.uniqueArray(row, { selector: ({ name }) => name, minLength: 1, maxLength: 200 });
  const direction = fc.constantFrom("asc", "desc");
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 60 }), direction, fc.boolean(), (all, limit, up, isBound) => {
      const body = {
        site_id: "shop",
        metrics: ["events"],
        date_range: "7d",
        dimensions: ["event:page"],
        order_by: [["events", up]],
      };
      let workedOut = new Set<string>();
      const lines = all.map(({ count, slack, name }) => ({
        metric: () => {
          workedOut.add(name);
          return count;
        },
        ...(isBound ? { metricAtMost: () => count + slack } : {}),
        dimensions: [name],
        from: 0,
      }));
      const request = parseRequest(body);
      const paged = [];
      for (let offset = 0; offset < all.length; offset += limit) {
        workedOut = new Set();
        paged.push(...pageOf(lines, { ...request, limit, offset }));
        const least = Math.min(...paged.map(({ metric }) => metric()));
        const needed = all.filter(({ count, slack }) => count + slack >= least).length;
        // Of a small part of all rows, only those that may be on the page are worked out, and twice as many as it has.
        if (isBound && up === "desc" && (offset + limit) * 8 <= all.length)
          expect(workedOut.size).toBeLessThanOrEqual(needed + 2 * (offset + limit));
      }
      const sign = up === "asc" ? 1 : -1;
      const expected = [...all].sort((a, b) => sign * (a.count - b.count) || (a.name < b.name ? -1 : 1));
      expect(paged.map(({ dimensions }) => dimensions[0])).toEqual(expected.map(({ name }) => name));
    }),
    {
      examples: [
        // What is likely by its bounds has lower values than what is not.
        [
          [
            { count: 0, slack: 2, name: "a" },
            { count: 0, slack: 1, name: "b" },
            { count: 1, slack: 0, name: "c" },
            ...["d", "e", "f", "g", "h"].map((name) => ({ count: 0, slack: 0, name })),
          ],
          1,
          "desc",
          true,
        ],
      ],
    },
  );
});

it("puts rows that are alike in order of time, also in the hour that clocks show twice", () => {
  const body = { site_id: "shop", metrics: ["events"], date_range: "7d", dimensions: ["time:hour"] };
  const request = parseRequest({ ...body, order_by: [["events", "desc"]] });
  const hours = ["2026-10-25 02:00:00+02:00", "2026-10-25 02:00:00+01:00", "2026-10-25 03:00:00"];
  const rows = hours.map((label, from) => ({ metric: () => 1, dimensions: [label], from }));
  expect(pageOf(rows.toReversed(), request).map(({ dimensions }) => dimensions[0])).toEqual(hours);
});
