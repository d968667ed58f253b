/** Prices a measured use as a month of it on AWS. Every figure is measured, on the price list, or one of the stated assumptions. */

import { GB, MONTH_SECONDS, PRICES } from "../../prices.ts";
import type { FunctionUse, Usage } from "./measure.ts";

/** What no replay can know. Printed with every bill. */
export interface Assumptions {
  readonly shards: number | "on-demand";
  /** Hours a month in which somebody has the dashboard open. */
  readonly dashboardHours: number;
  /** A DynamoDB request as a function waits for it. */
  readonly storeMs: number;
  /** Part of a processor core of this machine that one Lambda core is worth. */
  readonly coreRatio: number;
  /** Part of all requests that is traced (infra/aws/observability.ts). */
  readonly traced: number;
  /** As the deployment's properties of these names: whether clicks go around CloudFront, and who begins traces. */
  readonly direct: boolean;
  readonly tracing: "all" | "clicks";
  /** Alarms and own metrics of the deployment. */
  readonly alarms: number;
  readonly metrics: number;
}

export const ASSUMED: Assumptions = {
  shards: 1,
  dashboardHours: 20,
  storeMs: 5,
  coreRatio: 0.7,
  traced: 0.01,
  direct: false,
  tracing: "all",
  alarms: 13,
  metrics: 8,
};

export interface Line {
  readonly what: string;
  /** In the unit of the price, a month. */
  readonly quantity: number;
  readonly unit: string;
  readonly dollars: number;
  /** Costs the same without a single view. */
  readonly isFixed: boolean;
}

export interface Bill {
  readonly viewsPerMonth: number;
  readonly lines: readonly Line[];
  readonly dollars: number;
  /** Of these, what is due without a view. */
  readonly fixed: number;
  readonly perMillionViews: number;
}

/** Memory of the functions in MB (infra/aws); 1,769 MB are one core. */
const AGGREGATE_MB = 1_024;
const COMPACT_MB = 512;
const QUERY_MB = 1_769;
const CORE_MB = 1_769;

/** The dashboard asks for the live strip each second, and for a dozen panels every 20 s (dashboard/poll.ts, report.ts). */
const ASKS_PER_HOUR = 3_600 + 12 * 180;
const QUERY_MS = 25;
const QUERY_READ_UNITS = 8;
const QUERY_ANSWER_BYTES = 3_000;

/** A request's line in the access log, and what a function's invocation writes. Measured on the templates and handlers. */
const ACCESS_LOG_BYTES = 420;
const INVOCATION_LOG_BYTES = 700;

/** One month of `viewsPerMonth` page views, as the use of `usage.pageviews` of them at that rate says. */
export function bill(usage: Usage, viewsPerMonth: number, assumed: Assumptions = ASSUMED): Bill {
  const scale = viewsPerMonth / usage.pageviews;
  const lines: Line[] = [];
  const line = (what: string, quantity: number, unit: string, price: number, isFixed = false): void => {
    if (quantity > 0) lines.push({ what, quantity, unit, dollars: quantity * price, isFixed });
  };
  const requests = usage.requests * scale;
  const asks = assumed.dashboardHours * ASKS_PER_HOUR;
  line("API Gateway, clicks", requests, "requests", PRICES.apiRequest);
  if (!assumed.direct) line("CloudFront, clicks", requests, "requests", PRICES.edgeRequest);
  if (assumed.shards === "on-demand") {
    const gigabytes = (usage.recordBytes * scale) / GB;
    line("Kinesis, on demand", MONTH_SECONDS / 3_600, "hours", PRICES.onDemandHour, true);
    line("Kinesis, in", gigabytes, "GB", PRICES.onDemandInGb);
    line("Kinesis, out", gigabytes, "GB", PRICES.onDemandOutGb);
  } else {
    line("Kinesis, shards", (assumed.shards * MONTH_SECONDS) / 3_600, "shard-hours", PRICES.shardHour, true);
    line("Kinesis, puts", usage.putUnits * scale, "units of 25 KB", PRICES.putUnit);
  }
  const functionLines = (
    name: string,
    use: FunctionUse,
    megabytes: number,
    times: number,
    isFixed: boolean,
  ): void => {
    const seconds = gigabyteSeconds(use, megabytes, assumed) * times;
    line(`Lambda, ${name}: invocations`, use.invocations * times, "invocations", PRICES.invocation, isFixed);
    line(`Lambda, ${name}: time`, seconds, "GB-seconds", PRICES.gbSecond, isFixed);
    line(`DynamoDB, ${name}: writes`, use.units.writes * times, "units", PRICES.writeUnit, isFixed);
    line(`DynamoDB, ${name}: reads`, use.units.reads * times, "units", PRICES.readUnit, isFixed);
  };
  functionLines("counting", usage.aggregate, AGGREGATE_MB, scale, false);
  functionLines("compaction", usage.compact, COMPACT_MB, scale, true);
  const asking: FunctionUse = {
    invocations: asks,
    cpuMs: asks * QUERY_MS,
    units: { writes: 0, reads: asks * QUERY_READ_UNITS, requests: 0 },
  };
  line("API Gateway, dashboard", asks, "requests", PRICES.apiRequest);
  line("CloudFront, dashboard", asks, "requests", PRICES.edgeRequest);
  line("CloudFront, answers", (asks * QUERY_ANSWER_BYTES) / GB, "GB", PRICES.edgeGb);
  functionLines("answers", asking, QUERY_MB, 1, false);
  const stored = (usage.storedBytes * scale) / GB;
  line("DynamoDB, a month's rollups", stored, "GB-months", PRICES.storedGbMonth + PRICES.backupGbMonth);
  const logged = requests * ACCESS_LOG_BYTES + usage.aggregate.invocations * scale * INVOCATION_LOG_BYTES;
  line("CloudWatch, logs", logged / GB, "GB", PRICES.logGb);
  line("CloudWatch, alarms", assumed.alarms, "alarms", PRICES.alarmMonth, true);
  line("CloudWatch, metrics", assumed.metrics, "metrics", PRICES.metricMonth, true);
  line("X-Ray, clicks and readers", (requests + asks) * assumed.traced, "traces", PRICES.trace);
  const { aggregate, compact, seconds } = usage;
  if (assumed.tracing === "all")
    line("X-Ray, counting", tracedInvocations(aggregate, seconds), "traces", PRICES.trace);
  line("X-Ray, compaction", tracedInvocations(compact, seconds), "traces", PRICES.trace, true);
  const dollars = sum(lines);
  return {
    viewsPerMonth,
    lines,
    dollars,
    fixed: sum(lines.filter(({ isFixed }) => isFixed)),
    perMillionViews: (dollars / viewsPerMonth) * 1e6,
  };
}

/**
 * Of a month. Where no caller decides, Lambda records one invocation a second and a twentieth of the rest.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
 */
function tracedInvocations({ invocations }: FunctionUse, seconds: number): number {
  const perSecond = invocations / seconds;
  return (Math.min(1, perSecond) + Math.max(0, perSecond - 1) / 20) * MONTH_SECONDS;
}

/** Billed time: computing, slower by the function's share of a core, and waiting for the table. */
function gigabyteSeconds(use: FunctionUse, megabytes: number, { storeMs, coreRatio }: Assumptions): number {
  const share = Math.min(1, megabytes / CORE_MB) * coreRatio;
  const ms = use.cpuMs / share + use.units.requests * storeMs;
  // Lambda bills each invocation by the whole millisecond.
  return ((ms + use.invocations * 0.5) / 1_000) * (megabytes / 1_024);
}

const sum = (lines: readonly Line[]): number => lines.reduce((total, { dollars }) => total + dollars, 0);

/** A table for a terminal. */
export function renderBill(bill: Bill, assumed: Assumptions): string {
  const dollars = (value: number): string => value.toFixed(2).padStart(9);
  const rows = bill.lines
    .filter((line) => line.dollars >= 0.005)
    .map(
      ({ what, quantity, unit, dollars: amount }) =>
        `${dollars(amount)}  ${what} (${quantity.toLocaleString("en-US", { maximumFractionDigits: 1 })} ${unit})`,
    );
  const rest = bill.lines.filter((line) => line.dollars < 0.005);
  return [
    `A month of ${bill.viewsPerMonth.toLocaleString("en-US")} page views, in US dollars:`,
    ...rows,
    ...(rest.length > 0 ? [`${dollars(sum(rest))}  ${rest.length} more, each below half a cent`] : []),
    `${dollars(bill.dollars)}  together, ${bill.fixed.toFixed(2)} of it without a single view`,
    `${dollars(bill.perMillionViews)}  for a million page views`,
    `Assumed: ${Object.entries(assumed)
      .map(([name, value]) => `${name} ${value}`)
      .join(", ")}.`,
  ].join("\n");
}
