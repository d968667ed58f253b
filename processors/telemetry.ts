/**
 * The metrics of a deployment and how a log line tells them: CloudWatch makes metrics of such lines (embedded metric
 * format), so that telling needs no call, no permission and no time. Knows neither who tells nor who looks.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
import type { EpochMs } from "./model/time.ts";

export const NAMESPACE = "Rivulet";

/** Every metric and its unit. A deployment's own by the dimension Table; rejects by Reason as well. */
export const METRICS = {
  /** Events and reports counted. */
  Events: "Count",
  /** Of these, after their window had closed. */
  Late: "Count",
  /** Input refused, by reason. */
  Rejects: "Count",
  /** Of these, what says that something is wrong with a page, a tag or a server that reports. */
  Faulty: "Count",
  /** Puts lost to another worker of the same shard. */
  Conflicts: "Count",
  /** From the arrival of a batch's oldest record until it was counted. */
  Delay: "Milliseconds",
  /** How long the oldest record that is not counted has been waiting, each minute. */
  Lag: "Milliseconds",
  /** Segments of clicks' traces that X-Ray did not take. */
  Untraced: "Count",
  /** From a synthetic click until it was in an answer. */
  Visible: "Milliseconds",
} as const;
export type MetricName = keyof typeof METRICS;

/** One line of the log. Values that are absent are not told; a metric costs by the hour in which it is told. */
export function metricLine(
  values: Readonly<Partial<Record<MetricName, number>>>,
  dimensions: Readonly<Record<string, string>>,
  at: EpochMs,
): string {
  const names = Object.keys(values) as MetricName[];
  return JSON.stringify({
    _aws: {
      Timestamp: at,
      CloudWatchMetrics: [
        {
          Namespace: NAMESPACE,
          Dimensions: [Object.keys(dimensions)],
          Metrics: names.map((name) => ({ Name: name, Unit: METRICS[name] })),
        },
      ],
    },
    ...dimensions,
    ...values,
  });
}
