/** The metrics that our functions tell, as alarms and graphs name them. */
import { Duration } from "aws-cdk-lib";
import { Metric, Stats } from "aws-cdk-lib/aws-cloudwatch";
import { METRICS, type MetricName, NAMESPACE } from "../../processors/telemetry.ts";
import type { AnalyticsTable } from "./table.ts";

/** A metric that this deployment's functions tell. */
export const ownMetric = (
  data: AnalyticsTable,
  name: MetricName,
  {
    statistic = Stats.SUM,
    period = Duration.minutes(1),
    reason,
  }: { statistic?: string; period?: Duration; reason?: string } = {},
): Metric =>
  new Metric({
    namespace: NAMESPACE,
    metricName: name,
    dimensionsMap: { Table: data.table.tableName, ...(reason && { Reason: reason }) },
    statistic,
    period,
    ...(METRICS[name] === "Count" ? {} : { label: `${name} (ms)` }),
  });
