/** What CloudWatch has measured, priced. Knows neither the metrics nor the prices. */
import { CloudWatchClient, GetMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { awsError, httpHandler } from "./aws.ts";
import type { EstimateTerms } from "./env.ts";
import { type EpochMs, HOUR_MS, MINUTE_MS } from "./model/time.ts";

const PERIOD_MS = 5 * MINUTE_MS;
const HOURS_A_MONTH = 730;

/**
 * Dollars that a month would cost that is like the hour before `now`, without its last five to ten minutes, which may not be
 * measured yet. Throws what `awsError` makes of the SDK's errors.
 */
export async function monthLikeLastHour({ fixed, used }: EstimateTerms, now: EpochMs): Promise<number> {
  const end = (Math.floor(now / PERIOD_MS) - 1) * PERIOD_MS;
  const client = new CloudWatchClient({ requestHandler: httpHandler() });
  try {
    const { MetricDataResults = [] } = await client.send(
      new GetMetricDataCommand({
        StartTime: new Date(end - HOUR_MS),
        EndTime: new Date(end),
        MetricDataQueries: used.map(({ namespace, name, dimensions }, index) => ({
          Id: `m${index}`,
          MetricStat: {
            Metric: {
              Namespace: namespace,
              MetricName: name,
              Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })),
            },
            Period: PERIOD_MS / 1_000,
            Stat: "Sum",
          },
        })),
      }),
    );
    // A metric of which nothing was measured has no values.
    const sums = new Map(
      MetricDataResults.map(({ Id, Values = [] }) => [Id, Values.reduce((sum, value) => sum + value, 0)]),
    );
    const hour = used.reduce((sum, { price }, index) => sum + (sums.get(`m${index}`) ?? 0) * price, fixed);
    return hour * HOURS_A_MONTH;
  } catch (cause) {
    throw awsError(`CloudWatch GetMetricData of ${used.length} metrics`, cause);
  } finally {
    client.destroy();
  }
}
