/** Numbers as people read them. */
import { expect, it } from "vitest";
import { Measures } from "../../../../processors/model/measures.ts";
import { MergedTally, metricValue } from "../../../../processors/pipeline/query/metrics.ts";

const ALONE = { isPage: false, entry: undefined, allVisitors: 0, eligibleVisitors: 0 };

it.each([
  { minor: -1, count: 3, currency: "USD", value: 0, long: "$0.00" },
  { minor: -5, count: 1, currency: "USD", value: -0.05, long: "-$0.05" },
  { minor: 1_999, count: 2, currency: "EUR", value: 10, long: "€10.00" },
  { minor: 4_500, count: 2, currency: "KRW", value: 2_250, long: "₩2,250" },
  { minor: 1_250, count: 1, currency: "KWD", value: 1.25, long: "KWD\u00a01.250" },
])("makes $value $currency the mean of $minor among $count", ({ minor, count, currency, value, long }) => {
  const measures = new Measures();
  measures.addRevenue(currency, minor, count);
  expect(metricValue("average_revenue", new MergedTally(measures), ALONE)).toMatchObject({
    ...{ currency, value, long },
  });
});
