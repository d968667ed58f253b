/** Prices a measured use as a month of it on AWS. Every figure is measured, on the price list, or one of the stated assumptions. */
import {
  ACCESS_LOG_BYTES,
  ALWAYS_FREE,
  type Allowance,
  GB,
  MONTH_HOURS,
  MONTH_SECONDS,
  PRICES,
  TRACED_PART,
} from "../../prices.ts";
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
  /** Part of all requests that is traced. */
  readonly traced: number;
  /** As the deployment's properties of these names: whether clicks go around CloudFront, and who begins traces. */
  readonly direct: boolean;
  readonly tracing: "all" | "clicks";
  /** Metrics that the deployment's alarms look at, and metrics of its own that a busy hour tells. */
  readonly alarms: number;
  readonly metrics: number;
}

export const ASSUMED: Assumptions = {
  shards: 1,
  dashboardHours: 20,
  storeMs: 5,
  coreRatio: 0.7,
  traced: TRACED_PART,
  direct: true,
  tracing: "clicks",
  alarms: 14,
  // Events, Delay, Late, Lag, Visible, Faulty; and rejects for two reasons, robots and repeated batches.
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
  /** Of which allowance an account has some without charge. */
  readonly allowance?: Allowance;
}

export interface Bill {
  readonly viewsPerMonth: number;
  readonly lines: readonly Line[];
  /** At list prices. */
  readonly dollars: number;
  /** Of these, what is due without a view. */
  readonly fixed: number;
  /** Of these, what an account that has nothing else has without charge. */
  readonly free: number;
  /** Dollars less what is free, and the same for a million of the month's views. */
  readonly due: number;
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

/** What a function's invocation writes to its log. */
const INVOCATION_LOG_BYTES = 700;
/** The head of a 204 (no body), and the collector, compressed, with its head. */
const ACKNOWLEDGED_BYTES = 400;
const COLLECTOR_BYTES = 3_500;

/** What goes by the clock (infra/aws): the rules of alerts each minute, a canary each five minutes that asks until it is counted. */
const ALERTS: Scheduled = { invocations: MONTH_SECONDS / 60, megabytes: 512, ms: 30, requests: 0, reads: 2 };
const CANARY: Scheduled = {
  invocations: MONTH_SECONDS / 300,
  megabytes: 256,
  ms: 2_000,
  requests: 7,
  reads: 40,
};
const ESTIMATE: Scheduled = {
  invocations: MONTH_HOURS,
  megabytes: 256,
  ms: 500,
  requests: 0,
  reads: 1,
};
const ESTIMATE_METRICS = 8;
interface Scheduled {
  /** A month. */
  readonly invocations: number;
  readonly megabytes: number;
  /** Of an invocation: billed time, requests to the API, read units. */
  readonly ms: number;
  readonly requests: number;
  readonly reads: number;
}

/** One month of `viewsPerMonth` page views, as the use of `usage.pageviews` of them at that rate says. */
export function bill(usage: Usage, viewsPerMonth: number, assumed: Assumptions = ASSUMED): Bill {
  const scale = viewsPerMonth / usage.pageviews;
  const lines: Line[] = [];
  const line = (
    what: string,
    quantity: number,
    unit: string,
    price: number,
    more: { readonly isFixed?: boolean; readonly allowance?: Allowance } = {},
  ): void => {
    if (quantity > 0)
      lines.push({ what, quantity, unit, dollars: quantity * price, isFixed: false, ...more });
  };
  const isFixed = true;
  const requests = usage.requests * scale;
  const asks = assumed.dashboardHours * ASKS_PER_HOUR;
  line("API Gateway, clicks", requests, "requests", PRICES.apiRequest);
  const acknowledged = (requests * ACKNOWLEDGED_BYTES) / GB;
  if (assumed.direct)
    line("API Gateway, data out", acknowledged, "GB", PRICES.regionGb, { allowance: "regionGb" });
  else {
    line("CloudFront, clicks", requests, "requests", PRICES.edgeRequest, { allowance: "edgeRequests" });
    line("CloudFront, data out", acknowledged, "GB", PRICES.edgeGb, { allowance: "edgeGb" });
  }
  const loads = usage.collectorLoads * scale;
  line("CloudFront, collector", loads, "requests", PRICES.edgeRequest, { allowance: "edgeRequests" });
  line("CloudFront, collector", (loads * COLLECTOR_BYTES) / GB, "GB", PRICES.edgeGb, { allowance: "edgeGb" });
  if (assumed.shards === "on-demand") {
    const gigabytes = (usage.recordBytes * scale) / GB;
    line("Kinesis, on demand", MONTH_HOURS, "hours", PRICES.onDemandHour, { isFixed });
    line("Kinesis, in", gigabytes, "GB", PRICES.onDemandInGb);
    line("Kinesis, out", gigabytes, "GB", PRICES.onDemandOutGb);
  } else {
    const hours = assumed.shards * MONTH_HOURS;
    line("Kinesis, shards", hours, "shard-hours", PRICES.shardHour, { isFixed });
    line("Kinesis, puts", usage.putUnits * scale, "units of 25 KB", PRICES.putUnit);
  }
  const calls = (name: string, invocations: number, seconds: number, fixed: boolean): void => {
    line(`Lambda, ${name}: invocations`, invocations, "invocations", PRICES.invocation, {
      isFixed: fixed,
      allowance: "invocations",
    });
    line(`Lambda, ${name}: time`, seconds, "GB-seconds", PRICES.gbSecond, {
      isFixed: fixed,
      allowance: "gbSeconds",
    });
  };
  const functionLines = (name: string, use: FunctionUse, megabytes: number, times: number): void => {
    calls(name, use.invocations * times, gigabyteSeconds(use, megabytes, assumed) * times, false);
    line(`DynamoDB, ${name}: writes`, use.units.writes * times, "units", PRICES.writeUnit);
    line(`DynamoDB, ${name}: reads`, use.units.reads * times, "units", PRICES.readUnit);
  };
  functionLines("counting", usage.aggregate, AGGREGATE_MB, scale);
  functionLines("compaction", usage.compact, COMPACT_MB, scale);
  for (const [name, { invocations, megabytes, ms, requests: own, reads }] of Object.entries({
    alerts: ALERTS,
    canary: CANARY,
    estimate: ESTIMATE,
  })) {
    calls(name, invocations, (invocations * ms * megabytes) / 1_024 / 1_000, true);
    line(`API Gateway, ${name}`, invocations * own, "requests", PRICES.apiRequest, { isFixed });
    line(`DynamoDB, ${name}: reads`, invocations * reads, "units", PRICES.readUnit, { isFixed });
  }
  const asking: FunctionUse = {
    invocations: asks,
    cpuMs: asks * QUERY_MS,
    units: { writes: 0, reads: asks * QUERY_READ_UNITS, requests: 0 },
  };
  line("API Gateway, dashboard", asks, "requests", PRICES.apiRequest);
  line("CloudFront, dashboard", asks, "requests", PRICES.edgeRequest, { allowance: "edgeRequests" });
  line("CloudFront, answers", (asks * QUERY_ANSWER_BYTES) / GB, "GB", PRICES.edgeGb, { allowance: "edgeGb" });
  functionLines("answers", asking, QUERY_MB, 1);
  const stored = (usage.storedBytes * scale) / GB;
  line("DynamoDB, a month's rollups", stored, "GB-months", PRICES.storedGbMonth, { allowance: "storedGb" });
  line("DynamoDB, backup", stored, "GB-months", PRICES.backupGbMonth);
  line("CloudWatch, access log", ((requests + asks) * ACCESS_LOG_BYTES) / GB, "GB", PRICES.rareLogGb);
  const logged = (usage.aggregate.invocations * scale * INVOCATION_LOG_BYTES) / GB;
  line("CloudWatch, functions' logs", logged, "GB", PRICES.logGb, { allowance: "logGb" });
  const watched = { isFixed, allowance: "alarms" } as const;
  line("CloudWatch, alarms", assumed.alarms, "metrics that are looked at", PRICES.alarmMonth, watched);
  line("CloudWatch, metrics", assumed.metrics, "metrics", PRICES.metricMonth, {
    isFixed,
    allowance: "metrics",
  });
  const read = ESTIMATE.invocations * ESTIMATE_METRICS;
  line("CloudWatch, estimate", read, "metrics that are read", PRICES.metricRead, { isFixed });
  line("CloudWatch, dashboard", 1, "dashboards", PRICES.dashboardMonth, { isFixed, allowance: "dashboards" });
  const allowance = "traces";
  line("X-Ray, clicks and readers", (requests + asks) * assumed.traced, "traces", PRICES.trace, {
    allowance,
  });
  const { aggregate, compact, seconds } = usage;
  if (assumed.tracing === "all")
    line("X-Ray, counting", tracedInvocations(aggregate, seconds), "traces", PRICES.trace, { allowance });
  const byTheClock =
    tracedInvocations(compact, seconds) + ALERTS.invocations + CANARY.invocations + ESTIMATE.invocations;
  line("X-Ray, what goes by the clock", byTheClock, "traces", PRICES.trace, { isFixed, allowance });
  const dollars = sum(lines);
  const free = freeOf(lines);
  const due = dollars - free;
  return {
    viewsPerMonth,
    lines,
    dollars,
    fixed: sum(lines.filter((one) => one.isFixed)),
    free,
    due,
    perMillionViews: (due / viewsPerMonth) * 1e6,
  };
}

/** Dollars of what is within the allowances; each is used up by the lines that share it, one after the other. */
function freeOf(lines: readonly Line[]): number {
  const left: Record<Allowance, number> = { ...ALWAYS_FREE };
  let free = 0;
  for (const { allowance, quantity, dollars } of lines) {
    if (allowance === undefined) continue;
    const used = Math.min(left[allowance], quantity);
    left[allowance] -= used;
    free += (used / quantity) * dollars;
  }
  return free;
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
    `${dollars(bill.dollars)}  together at list prices, ${bill.fixed.toFixed(2)} of it without a single view`,
    `${dollars(-bill.free)}  that every account has without charge`,
    `${dollars(bill.due)}  to pay`,
    `${dollars(bill.perMillionViews)}  for a million page views`,
    `Assumed: ${Object.entries(assumed)
      .map(([name, value]) => `${name} ${value}`)
      .join(", ")}.`,
  ].join("\n");
}
