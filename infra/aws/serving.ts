/** The readers' side: one function answers queries from the table. It can read, and write what owners define. */
import { Duration } from "aws-cdk-lib";
import { Construct } from "constructs";
import { ENV } from "../../processors/env.ts";
import { Handler } from "./function.ts";
import type { AnalyticsTable } from "./table.ts";

export interface ServingProps {
  readonly data: AnalyticsTable;
  /** Environment that counting and answering share. */
  readonly environment: Readonly<Record<string, string>>;
  readonly concurrency?: number | undefined;
}

export class Serving extends Construct {
  readonly handler: Handler;

  constructor(scope: Construct, id: string, { data, environment, concurrency }: ServingProps) {
    super(scope, id);
    this.handler = new Handler(this, "Query", {
      handler: "query",
      description: "Rivulet: answers queries from rollups and the tail of the commit logs",
      // Below API Gateway's 29 s, so that the client gets our answer and not its own timeout.
      timeout: Duration.seconds(25),
      // Somebody waits for this one: a whole CPU halves the cold start.
      memory: 1769,
      environment: { [ENV.table]: data.table.tableName, ...environment },
      concurrency,
    });
    data.allowReading(this.handler);
    data.allowSettings(this.handler);
  }
}
