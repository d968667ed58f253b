/**
 * What this hour would cost if the month went on like it, estimated out of CloudWatch's own metrics: the bill itself is
 * known a day later.
 */
import { Duration, Stack } from "aws-cdk-lib";
import { type IMetric, MathExpression, type Metric } from "aws-cdk-lib/aws-cloudwatch";
import type { Construct } from "constructs";
import { ACCESS_LOG_BYTES, GB, MONTH_HOURS, PRICES, TRACED_PART } from "../prices.ts";
import type { Parts } from "./parts.ts";
import type { Capacity } from "./stream.ts";

export interface EstimateProps extends Parts {
  readonly capacity: Capacity;
  /** Functions that read the whole stream, and whether by enhanced fan-out. */
  readonly readers: number;
  readonly fanOut: boolean;
  readonly hasFirewall: boolean;
  /** As the deployment's properties of these names. */
  readonly direct: boolean;
  readonly tracing: "all" | "clicks";
}

const HOUR = Duration.hours(1);
const DAY_HOURS = 24;
const WEEK_HOURS = 7 * DAY_HOURS;
/** With which an on-demand stream begins. */
const ON_DEMAND_SHARDS = 4;

export class CostEstimate {
  readonly #props: EstimateProps;

  constructor(props: EstimateProps) {
    this.#props = props;
  }

  /** Dollars a month at the rate of the last hour. Not in it: storage, data to browsers, and the archive but for its reads. */
  monthly(): MathExpression {
    const terms = [...this.#used()].map(([name, metric, price]) => ({ name, metric, price }));
    const hour = terms.map(({ name, price }) => `FILL(${name},0)*${millionths(price)}`).join("+");
    return new MathExpression({
      expression: `(${hour}+${millionths(this.#fixed())})*${MONTH_HOURS}/1000000`,
      usingMetrics: Object.fromEntries(terms.map(({ name, metric }) => [name, metric])),
      period: HOUR,
      label: "dollars a month",
    });
  }

  /** The same for a function: `EstimateTerms` of processors/env.ts as JSON. */
  terms(scope: Construct): string {
    const used = [...this.#used()].map(([, metric, price]) => {
      const { namespace, metricName, dimensions = [] } = metric.toMetricConfig().metricStat!;
      const named = Object.fromEntries(dimensions.map(({ name, value }) => [name, value]));
      return { namespace, name: metricName, dimensions: named, price };
    });
    const terms = { fixed: this.#fixed(), used };
    return Stack.of(scope).toJsonString(terms);
  }

  /** Due in every hour. */
  #fixed(): number {
    const { capacity, readers, fanOut, hasFirewall } = this.#props;
    const shardHour =
      PRICES.shardHour +
      (fanOut ? readers * PRICES.fanOutHour : 0) +
      (this.#beyondDay() > 0 ? PRICES.longShardHour : 0);
    const stream = capacity === "on-demand" ? PRICES.onDemandHour : capacity.shards * shardHour;
    return stream + (hasFirewall ? PRICES.firewallMonth / MONTH_HOURS : 0);
  }

  /** Hours that the stream keeps a record beyond its first day, up to a week. */
  #beyondDay(): number {
    return Math.min(this.#props.clicks.retention.toHours(), WEEK_HOURS) - DAY_HOURS;
  }

  /** Of a GB that goes through the stream, each byte of which is read by all readers and kept for the same time. */
  #perGb(): number {
    const { capacity, readers, fanOut, clicks } = this.#props;
    const beyondWeek = Math.max(0, clicks.retention.toHours() - WEEK_HOURS);
    const long = (PRICES.longGbMonth * beyondWeek) / MONTH_HOURS;
    if (capacity !== "on-demand") return long + (fanOut ? readers * PRICES.fanOutGb : 0);
    const read = fanOut ? PRICES.onDemandFanOutGb : PRICES.onDemandOutGb;
    const kept = (PRICES.onDemandLongGbMonth * this.#beyondDay()) / MONTH_HOURS;
    return PRICES.onDemandInGb + readers * read + kept + long;
  }

  /** Name in the formula, sum over the hour, and dollars for one of it. An alarm takes ten metrics at most. */
  *#used(): Generator<readonly [name: string, metric: IMetric, price: number]> {
    const { capacity, hasFirewall, direct, tracing } = this.#props;
    const { clicks, data, ingestion, aggregation, compaction, serving } = this.#props;
    const sum = { period: HOUR, statistic: "Sum" };
    const perRequest =
      PRICES.apiRequest +
      (direct ? 0 : PRICES.edgeRequest) +
      (hasFirewall ? PRICES.firewallRequest + PRICES.edgeFunction : 0) +
      (ACCESS_LOG_BYTES / GB) * PRICES.rareLogGb +
      TRACED_PART * PRICES.trace;
    yield ["requests", ingestion.api.metricCount(sum), perRequest];
    const perByte = this.#perGb() / GB;
    if (perByte > 0) yield ["bytes", clicks.stream.metric("IncomingBytes", sum), perByte];
    if (capacity !== "on-demand")
      yield ["puts", clicks.stream.metric("IncomingRecords", sum), PRICES.putUnit];
    for (const [name, { handler }] of Object.entries({ aggregation, compaction, serving })) {
      const perMs = (handler.memory / 1_024 / 1_000) * PRICES.gbSecond;
      yield [`${name}Ms`, handler.function.metricDuration(sum), perMs];
    }
    const traced = tracing === "all" ? tracedPart(capacity) : 0;
    const perCall = PRICES.invocation + traced * PRICES.trace;
    yield ["calls", aggregation.handler.function.metricInvocations(sum), perCall];
    const units = (name: string): Metric => data.table.metric(name, sum);
    yield ["writes", units("ConsumedWriteCapacityUnits"), PRICES.writeUnit];
    yield ["reads", units("ConsumedReadCapacityUnits"), PRICES.readUnit];
  }
}

/** Of a consumer that each shard calls once a second: Lambda traces one a second and a twentieth of the rest. */
function tracedPart(capacity: Capacity): number {
  const shards = capacity === "on-demand" ? ON_DEMAND_SHARDS : capacity.shards;
  return (1 + (shards - 1) / 20) / shards;
}

/** Of a dollar: metric math knows no exponents. */
const millionths = (dollars: number): string => (dollars * 1e6).toFixed(9);
