/** What AWS asks in us-east-1, in US dollars, list prices without free tiers: the one table that every estimate is priced from. */

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
  /** An on-demand stream for an hour, and a GB in and out of it. */
  onDemandHour: 0.04,
  onDemandInGb: 0.08,
  onDemandOutGb: 0.04,
  /** An invocation, and a GB for a second on arm64. https://aws.amazon.com/lambda/pricing/ */
  invocation: 0.2e-6,
  gbSecond: 0.0000133334,
  /** On demand: a write of up to 1 KB, a consistent read of up to 4 KB, a GB for a month, and its backup. https://aws.amazon.com/dynamodb/pricing/on-demand/ */
  writeUnit: 0.625e-6,
  readUnit: 0.125e-6,
  storedGbMonth: 0.25,
  backupGbMonth: 0.2,
  /** A GB of logs taken, and a custom metric and an alarm for a month. https://aws.amazon.com/cloudwatch/pricing/ */
  logGb: 0.5,
  metricMonth: 0.3,
  alarmMonth: 0.1,
  /** A trace that is kept. https://aws.amazon.com/xray/pricing/ */
  trace: 5e-6,
} as const;

export const MONTH_SECONDS = 730 * 3_600;
/** AWS bills 2^30 bytes as a GB. */
export const GB = 2 ** 30;
