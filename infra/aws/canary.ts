/** A click that is made every few minutes and must be in an answer within seconds: the whole path, as its users take it. */
import { Duration } from "aws-cdk-lib";
import { type Metric, Stats } from "aws-cdk-lib/aws-cloudwatch";
import { Construct } from "constructs";
import { ENV } from "../../processors/env.ts";
import { Handler } from "./function.ts";
import { ownMetric } from "./metrics.ts";
import { callEvery } from "./schedule.ts";
import type { AnalyticsTable } from "./table.ts";

export interface CanaryProps {
  readonly data: AnalyticsTable;
  /** Origin of the dashboard, and where pages report to. */
  readonly url: string;
  readonly reportUrl: string;
  /** Whom it asks itself, where readers need a key. Default: as a reader, through the API. */
  readonly reader?: Handler | undefined;
}

const EVERY = Duration.minutes(5);
/** By when a click must be in the answers: that allows for cold starts. */
const WITHIN = Duration.seconds(15);

export class Canary extends Construct {
  readonly handler: Handler;
  readonly #data: AnalyticsTable;

  constructor(scope: Construct, id: string, { data, url, reportUrl, reader }: CanaryProps) {
    super(scope, id);
    this.#data = data;
    this.handler = new Handler(this, "Canary", {
      handler: "canary",
      description: "Rivulet: clicks, and asks until the click is counted",
      timeout: WITHIN.plus(Duration.seconds(20)),
      memory: 256,
      environment: {
        // It only names the metrics: the canary may do nothing that a browser may not, but ask where readers need a key.
        [ENV.table]: data.table.tableName,
        [ENV.url]: url,
        [ENV.reportUrl]: reportUrl,
        ...(reader && { [ENV.queryFunction]: reader.function.functionName }),
        [ENV.canaryMs]: String(WITHIN.toMilliseconds()),
      },
    });
    if (reader) this.handler.allow(["lambda:InvokeFunction"], reader.function.functionArn);
    callEvery(this, "Schedule", this.handler, {
      every: EVERY,
      description: "Rivulet: canary",
    });
  }

  /** Milliseconds from a click until it was in an answer. */
  visible(): Metric {
    return ownMetric(this.#data, "Visible", { statistic: Stats.MAXIMUM, period: EVERY });
  }
}
