/** The one table: commits, visitor states, rollups and sites under (pk, sk). Data outlives the stack. */
import { RemovalPolicy } from "aws-cdk-lib";
import { AttributeType, Billing, TableEncryptionV2, TableV2 } from "aws-cdk-lib/aws-dynamodb";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import type { Handler } from "./function.ts";

const READ = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"];
/** No PutItem: the store writes by conditional updates. */
const WRITE = ["dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"];

export class AnalyticsTable extends Construct {
  readonly table: TableV2;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.table = new TableV2(this, "Table", {
      partitionKey: { name: "pk", type: AttributeType.STRING },
      sortKey: { name: "sk", type: AttributeType.STRING },
      // On demand: an idle site writes nothing and pays nothing, a burst needs no forecast.
      billing: Billing.onDemand(),
      // Salts must be gone after 48 h; the driver also treats an expired item as absent, because deletion is lazy.
      timeToLiveAttribute: "exp",
      encryption: TableEncryptionV2.awsManagedKey(),
      // A week, not the usual 35 days: a salt that is gone from the table must not live on in its backup for long.
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true, recoveryPeriodInDays: 7 },
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
  }

  /** Item reads only; no scan, no index, no stream. */
  allowReading(handler: Handler): void {
    handler.allow(READ, this.table.tableArn);
  }

  /** Changes to what owners define and to who may read, and to nothing that was counted. */
  allowSettings(handler: Handler): void {
    this.#allowItems(handler, ["settings", "access"]);
  }

  /** Changes to what is known of alerts: what was told, and when. */
  allowAlerts(handler: Handler): void {
    this.#allowItems(handler, ["alert-state", "alert/*"]);
  }

  /** Notes of the deployment itself. */
  allowOperations(handler: Handler): void {
    this.#allowItems(handler, ["operations"]);
  }

  /** Changes to items with these partition keys. */
  #allowItems(handler: Handler, keys: readonly string[]): void {
    handler.role.addToPolicy(
      new PolicyStatement({
        actions: WRITE,
        resources: [this.table.tableArn],
        conditions: { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": [...keys] } },
      }),
    );
  }

  allowReadingAndWriting(handler: Handler): void {
    handler.allow([...READ, ...WRITE], this.table.tableArn);
  }
}
