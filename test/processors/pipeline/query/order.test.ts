/** A page holds the same rows in the same order, whether all rows are sorted for it or only its own are looked for. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { pageOf } from "../../../../processors/pipeline/query/order.ts";
import { parseRequest } from "../../../../processors/pipeline/query/request.ts";

it("pages of any size, put together, are all rows in order", () => {
  const row = fc.record({ count: fc.nat(5), name: fc.string({ maxLength: 3 }) });
  const rows = fc.uniqueArray(row, { selector: ({ name }) => name, minLength: 1, maxLength: 200 });
  const direction = fc.constantFrom("asc", "desc");
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 60 }), direction, (all, limit, up) => {
      const body = {
        site_id: "shop",
        metrics: ["events"],
        date_range: "7d",
        dimensions: ["event:page"],
        order_by: [["events", up]],
      };
      const lines = all.map(({ count, name }) => ({ metric: () => count, dimensions: [name], from: 0 }));
      const request = parseRequest(body);
      const paged = [];
      for (let offset = 0; offset < all.length; offset += limit)
        paged.push(...pageOf(lines, { ...request, limit, offset }));
      const sign = up === "asc" ? 1 : -1;
      const expected = [...all].sort((a, b) => sign * (a.count - b.count) || (a.name < b.name ? -1 : 1));
      expect(paged.map(({ dimensions }) => dimensions[0])).toEqual(expected.map(({ name }) => name));
    }),
  );
});
