/** What AWS asks in us-east-1, in US dollars, and what it gives: the one table that every estimate is priced from. */

/** When the pages below were read. */
export const PRICED_AT = "2026-11-22";

export const PRICES = {
  /** A request to a REST API, first 333 million a month. https://aws.amazon.com/api-gateway/pricing/ */
  apiRequest: 3.5e-6,
  /** An HTTPS request, and a GB to browsers in North America and Europe. https://aws.amazon.com/cloudfront/pricing/ */
  edgeRequest: 1.0e-6,
  edgeGb: 0.085,
  /** A call of a function at the edge. */
  edgeFunction: 0.1e-6,
  /** The firewall's web ACL with its three rules for a month, and a request that it looks at. https://aws.amazon.com/waf/pricing/ */
  firewallMonth: 5 + 3 * 1,
  firewallRequest: 0.6e-6,
  /** A provisioned shard for an hour, and a put of up to 25 KB. https://aws.amazon.com/kinesis/data-streams/pricing/ */
  shardHour: 0.015,
  putUnit: 0.014e-6,
  /** A reader of its own at a provisioned shard (enhanced fan-out) for an hour, and a GB that it reads. */
  fanOutHour: 0.015,
  fanOutGb: 0.013,
  /** A provisioned shard that keeps records for longer than a day, for an hour; and a GB beyond a week, for a month. */
  longShardHour: 0.02,
  longGbMonth: 0.023,
  /** An on-demand stream for an hour, a GB in and out of it, out by a reader of its own, and kept beyond a day for a month. */
  onDemandHour: 0.04,
  onDemandInGb: 0.08,
  onDemandOutGb: 0.04,
  onDemandFanOutGb: 0.05,
  onDemandLongGbMonth: 0.1,
  /** An invocation, and a GB for a second on arm64. https://aws.amazon.com/lambda/pricing/ */
  invocation: 0.2e-6,
  gbSecond: 0.0000133334,
  /** On demand: a write of up to 1 KB, a consistent read of up to 4 KB, a GB for a month, and its backup. https://aws.amazon.com/dynamodb/pricing/on-demand/ */
  writeUnit: 0.625e-6,
  readUnit: 0.125e-6,
  storedGbMonth: 0.25,
  backupGbMonth: 0.2,
  /** A GB of logs taken, of the usual class and of the one for infrequent access. https://aws.amazon.com/cloudwatch/pricing/ */
  logGb: 0.5,
  rareLogGb: 0.25,
  /** For a month: a custom metric, a metric that an alarm looks at, and a dashboard. */
  metricMonth: 0.3,
  alarmMonth: 0.1,
  dashboardMonth: 3,
  /** A metric that is read by GetMetricData. */
  metricRead: 0.01e-3,
  /** A GB from a region to browsers. https://aws.amazon.com/ec2/pricing/on-demand/ */
  regionGb: 0.09,
  /** A trace that is kept. https://aws.amazon.com/xray/pricing/ */
  trace: 5e-6,
} as const;

/**
 * What an account has without charge each month, for ever and in the units of the prices above, if nothing else in it has
 * used it up: https://aws.amazon.com/free/ (always free), and the pages above.
 */
export const ALWAYS_FREE = {
  edgeRequests: 10_000_000,
  edgeGb: 1_024,
  regionGb: 100,
  invocations: 1_000_000,
  gbSeconds: 400_000,
  storedGb: 25,
  logGb: 5,
  metrics: 10,
  alarms: 10,
  dashboards: 3,
  traces: 100_000,
} as const;
export type Allowance = keyof typeof ALWAYS_FREE;

/**
 * A line of the API's access log for a batch that was taken (infra/aws/ingestion.ts), and 26 bytes that CloudWatch adds to
 * each: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
 */
export const ACCESS_LOG_BYTES = 231;

/** Part of the API's requests that is traced: set by infra/aws/observability.ts, which says why. */
export const TRACED_PART = 0.01;

export const MONTH_HOURS = 730;
export const MONTH_SECONDS = MONTH_HOURS * 3_600;
/** AWS bills 2^30 bytes as a GB. */
export const GB = 2 ** 30;
