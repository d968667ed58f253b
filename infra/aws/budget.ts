/**
 * What this hour would cost if the month went on like it, estimated out of CloudWatch's own metrics: the bill itself is
 * known a day later. Over the budget somebody is told, and clicks are gathered for longer before they are counted.
 */
import { Duration } from "aws-cdk-lib";
import { type IMetric, MathExpression, type Metric } from "aws-cdk-lib/aws-cloudwatch";
import { LambdaAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { Construct } from "constructs";
import { ENV } from "../../processors/env.ts";
import { GB, PRICES } from "../prices.ts";
import { type Aggregation, BATCHING_WINDOW } from "./aggregation.ts";
import type { Compaction } from "./compaction.ts";
import { Handler } from "./function.ts";
import type { Ingestion } from "./ingestion.ts";
import type { Serving } from "./serving.ts";
import type { Capacity, ClickStream } from "./stream.ts";
import type { AnalyticsTable } from "./table.ts";

export interface BudgetProps {
  /** US dollars a month, at list prices of us-east-1. */
  readonly monthly: number;
  readonly capacity: Capacity;
  readonly hasFirewall: boolean;
  readonly clicks: ClickStream;
  readonly data: AnalyticsTable;
  readonly ingestion: Ingestion;
  readonly aggregation: Aggregation;
  readonly compaction: Compaction;
  readonly serving: Serving;
}

/** A tenth of the commits, and still within the canary's patience. */
const THRIFTY_WINDOW = Duration.seconds(10);
const HOUR = Duration.hours(1);
const HOURS_A_MONTH = 730;
/** A line of the access log, bytes; measured (infra/local/cost). */
const LOGGED_BYTES = 420;
const TRACED = 0.01;

export class Budget extends Construct {
  readonly handler: Handler;
  readonly monthly: number;
  /** Of the alarm: to begin, and to end, to be thrifty. */
  readonly action: LambdaAction;
  readonly #props: BudgetProps;

  constructor(scope: Construct, id: string, props: BudgetProps) {
    super(scope, id);
    if (!(props.monthly > 0)) throw new Error(`a budget of ${props.monthly} dollars a month is none`);
    this.#props = props;
    this.monthly = props.monthly;
    const { reader } = props.aggregation;
    this.handler = new Handler(this, "Thrift", {
      handler: "thrift",
      description: "Rivulet: gathers clicks for longer while the estimate is over the budget",
      timeout: Duration.seconds(30),
      memory: 256,
      environment: {
        [ENV.mapping]: reader.mappingId,
        [ENV.usualWindow]: String(BATCHING_WINDOW.toSeconds()),
        [ENV.thriftyWindow]: String(THRIFTY_WINDOW.toSeconds()),
      },
    });
    this.handler.allow(["lambda:UpdateEventSourceMapping"], reader.mappingArn);
    this.action = new LambdaAction(this.handler.function);
  }

  /** Dollars a month at the rate of the last hour. Not in it: storage, data to browsers, Firehose and Athena. */
  estimate(): MathExpression {
    const terms = [...this.#used()].map(([name, metric, price]) => ({ name, metric, price }));
    const hour = terms.map(({ name, price }) => `FILL(${name},0)*${millionths(price)}`).join("+");
    return new MathExpression({
      expression: `(${hour}+${millionths(this.#fixed())})*${HOURS_A_MONTH}/1000000`,
      usingMetrics: Object.fromEntries(terms.map(({ name, metric }) => [name, metric])),
      period: HOUR,
      label: "dollars a month",
    });
  }

  /** Due in every hour. */
  #fixed(): number {
    const { capacity, hasFirewall } = this.#props;
    const stream = capacity === "on-demand" ? PRICES.onDemandHour : capacity.shards * PRICES.shardHour;
    return stream + (hasFirewall ? PRICES.firewallMonth / HOURS_A_MONTH : 0);
  }

  /** Name in the formula, sum over the hour, and dollars for one of it. An alarm takes ten metrics at most. */
  *#used(): Generator<readonly [name: string, metric: IMetric, price: number]> {
    const { capacity, hasFirewall, clicks, data, ingestion, aggregation, compaction, serving } = this.#props;
    const sum = { period: HOUR, statistic: "Sum" };
    const perRequest =
      PRICES.apiRequest +
      PRICES.edgeRequest +
      (hasFirewall ? PRICES.firewallRequest + PRICES.edgeFunction : 0) +
      (LOGGED_BYTES / GB) * PRICES.logGb +
      TRACED * PRICES.trace;
    yield ["requests", ingestion.api.metricCount(sum), perRequest];
    if (capacity === "on-demand") {
      const perByte = (PRICES.onDemandInGb + PRICES.onDemandOutGb) / GB;
      yield ["bytes", clicks.stream.metric("IncomingBytes", sum), perByte];
    } else yield ["puts", clicks.stream.metric("IncomingRecords", sum), PRICES.putUnit];
    for (const [name, { handler }] of Object.entries({ aggregation, compaction, serving })) {
      const perMs = (handler.memory / 1_024 / 1_000) * PRICES.gbSecond;
      yield [`${name}Ms`, handler.function.metricDuration(sum), perMs];
    }
    yield ["calls", aggregation.handler.function.metricInvocations(sum), PRICES.invocation];
    const units = (name: string): Metric => data.table.metric(name, sum);
    yield ["writes", units("ConsumedWriteCapacityUnits"), PRICES.writeUnit];
    yield ["reads", units("ConsumedReadCapacityUnits"), PRICES.readUnit];
  }
}

/** Of a dollar: metric math knows no exponents. */
const millionths = (dollars: number): string => (dollars * 1e6).toFixed(9);
