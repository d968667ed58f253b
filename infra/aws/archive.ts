/**
 * The archive: a second consumer of the stream hands rows to Firehose, which makes Parquet of them and sorts them into
 * `site=/dt=/hour=`; a Glue table says what is in the files. Its troubles are not those of counting.
 */
import { Aws, Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { MathExpression, Metric, Stats } from "aws-cdk-lib/aws-cloudwatch";
import { CfnDatabase, CfnTable } from "aws-cdk-lib/aws-glue";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { CfnDeliveryStream } from "aws-cdk-lib/aws-kinesisfirehose";
import { type LogGroup, LogStream } from "aws-cdk-lib/aws-logs";
import type { Bucket, LifecycleRule } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { ENV } from "../../processors/env.ts";
import { ARCHIVE_COLUMNS, type ColumnType, rowsOfSite } from "../../processors/model/archive.ts";
import { privateBucket } from "./bucket.ts";
import type { Countries } from "./countries.ts";
import { Handler } from "./function.ts";
import { monthLog } from "./logs.ts";
import { checkNumber } from "./number.ts";
import { ShardReader } from "./reader.ts";
import type { ClickStream } from "./stream.ts";
import type { AnalyticsTable } from "./table.ts";

export interface ArchiveProps {
  readonly clicks: ClickStream;
  readonly data: AnalyticsTable;
  /** As `formatSites` writes them. */
  readonly sites: string;
  /** Environment that counting and answering share. */
  readonly environment: Readonly<Record<string, string>>;
  readonly keep: ArchiveRetention;
  /** Whether it reads by enhanced fan-out. */
  readonly fanOut: boolean;
  /** Whether clicks come without their country. */
  readonly countries: Countries | undefined;
  readonly concurrency?: number | undefined;
}

/** How long the archive's files are kept. */
export interface ArchiveRetention {
  /** Of every site. Default: for ever. */
  readonly retention?: Duration | undefined;
  /** Of single sites, by id; none longer than that of every site. */
  readonly sites?: Readonly<Record<string, Duration>> | undefined;
}

/** Folders of the bucket: rows, and what Firehose could not make rows of. */
const ROWS = "archive";
const ERRORS = "errors";

const HIVE_TYPES: Readonly<Record<ColumnType, string>> = {
  text: "string",
  int: "int",
  long: "bigint",
  bool: "boolean",
  double: "double",
  map: "map<string,string>",
};

/** Of a bucket's 1,000 rules, those that single sites may have: the others are ours, and there is room for more. */
const MAX_SITE_RULES = 900;

/** A rule for each site that has a limit of its own. Of two rules for an object the shorter holds, so no site is kept longer than all. */
function lifecycle({ retention, sites = {} }: ArchiveRetention): LifecycleRule[] {
  const own = Object.entries(sites);
  if (own.length > MAX_SITE_RULES)
    throw new Error(
      `archive: ${own.length} sites with a retention of their own, more than the ${MAX_SITE_RULES} rules that a bucket has room for`,
    );
  for (const [site, expiration] of own)
    if (retention && expiration.toDays() > retention.toDays())
      throw new Error(
        `archive: ${site} would be kept for ${expiration.toDays()} days, and all sites for ${retention.toDays()}: give all the longest`,
      );
  for (const kept of [retention, ...Object.values(sites)])
    if (kept) checkNumber("archive: days to keep", kept.toDays(), { lowest: 1 });
  return [
    ...(retention ? [{ prefix: `${ROWS}/`, expiration: retention }] : []),
    ...own.map(([site, expiration]) => ({ prefix: rowsOfSite(site), expiration })),
  ];
}

export class Archive extends Construct {
  readonly handler: Handler;
  readonly bucket: Bucket;
  /** Its failures lie apart from those of counting, which are put into the stream again. */
  readonly reader: ShardReader;
  readonly table: CfnTable;
  readonly deliveryRole: Role;
  readonly delivery: CfnDeliveryStream;

  constructor(scope: Construct, id: string, props: ArchiveProps) {
    super(scope, id);
    const { clicks, data } = props;
    this.bucket = privateBucket(this, "Rows", [
      ...lifecycle(props.keep),
      { prefix: `${ERRORS}/`, expiration: Duration.days(30) },
    ]);
    const database = new CfnDatabase(this, "Database", {
      catalogId: Aws.ACCOUNT_ID,
      databaseInput: { description: "Rivulet: every event that was counted" },
    });
    this.table = this.#table(database.ref);
    const logs = monthLog(this, "DeliveryLogs");
    const log = new LogStream(this, "DeliveryLog", { logGroup: logs, removalPolicy: RemovalPolicy.DESTROY });
    this.deliveryRole = this.#role(database.ref, logs);
    this.delivery = this.#deliveryStream(database.ref, logs, log);

    this.handler = new Handler(this, "Consumer", {
      handler: "archive",
      description: "Rivulet: hands a row for every counted event to Firehose, or puts it into the bucket",
      timeout: Duration.minutes(1),
      memory: 1024,
      environment: {
        [ENV.table]: data.table.tableName,
        [ENV.stream]: clicks.stream.streamName,
        [ENV.archive]: this.delivery.ref,
        [ENV.archiveBucket]: this.bucket.bucketName,
        [ENV.sites]: props.sites,
        ...props.environment,
      },
      countries: props.countries,
      concurrency: props.concurrency,
    });
    data.allowReadingAndWriting(this.handler);
    this.handler.allow(["firehose:PutRecordBatch"], this.delivery.attrArn);
    // Of imports, which tell of more hours at once than the delivery stream sorts.
    this.handler.allow(["s3:PutObject"], this.bucket.arnForObjects(`${ROWS}/*`));
    this.reader = new ShardReader(this, {
      clicks,
      handler: this.handler,
      // Full batches make full records, and nobody waits for the archive.
      batchingWindow: Duration.seconds(30),
      fanOut: props.fanOut ? "archive" : undefined,
    });
  }

  /** Above 0 where Firehose put rows aside, under `errors/`: it could not convert them, or they were of too many hours. */
  refused(): MathExpression {
    const period = Duration.minutes(5);
    const told = (metricName: string): Metric =>
      new Metric({
        namespace: "AWS/Firehose",
        metricName,
        dimensionsMap: { DeliveryStreamName: this.delivery.ref },
        statistic: Stats.SUM,
        period,
      });
    return new MathExpression({
      expression: "FILL(unreadable,0)+FILL(beyond,0)",
      usingMetrics: {
        unreadable: told("FailedConversion.Records"),
        beyond: told("PartitionCountExceeded"),
      },
      period,
      label: "rows put aside",
    });
  }

  /** Partitions are computed from the question, so that nothing has to register them. */
  #table(databaseName: string): CfnTable {
    const location = `s3://${this.bucket.bucketName}/${ROWS}/`;
    return new CfnTable(this, "Table", {
      catalogId: Aws.ACCOUNT_ID,
      databaseName,
      tableInput: {
        name: "rows",
        description: "One row per event, report or reject; (shard, sequence, index) is its identity",
        tableType: "EXTERNAL_TABLE",
        partitionKeys: ["site", "dt", "hour"].map((name) => ({ name, type: "string" })),
        parameters: {
          classification: "parquet",
          "projection.enabled": "true",
          "projection.site.type": "injected",
          "projection.dt.type": "date",
          "projection.dt.format": "yyyy-MM-dd",
          // From the first day that an import may tell of; what no question is about costs nothing.
          "projection.dt.range": "2001-09-09,NOW+1DAYS",
          "projection.hour.type": "integer",
          "projection.hour.range": "0,23",
          "projection.hour.digits": "2",
          "storage.location.template": `${location}site=\${site}/dt=\${dt}/hour=\${hour}/`,
        },
        storageDescriptor: {
          columns: ARCHIVE_COLUMNS.filter(({ name }) => name !== "site").map(({ name, type }) => ({
            name,
            type: HIVE_TYPES[type],
          })),
          location,
          inputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
          outputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
          serdeInfo: { serializationLibrary: "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe" },
        },
      },
    });
  }

  /** May write below the two folders, read the table's columns and say what went wrong. */
  #role(databaseName: string, logs: LogGroup): Role {
    const role = new Role(this, "DeliveryRole", {
      assumedBy: new ServicePrincipal("firehose.amazonaws.com", {
        conditions: { StringEquals: { "aws:SourceAccount": Aws.ACCOUNT_ID } },
      }),
      description: "Rivulet: Firehose writes the archive's files",
    });
    const glue = (resource: string): string =>
      Stack.of(this).formatArn({ service: "glue", resource: "", resourceName: resource }).replace(":/", ":");
    for (const [actions, resources] of [
      [["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"], [this.bucket.bucketArn]],
      [
        ["s3:PutObject", "s3:AbortMultipartUpload"],
        [this.bucket.arnForObjects(`${ROWS}/*`), this.bucket.arnForObjects(`${ERRORS}/*`)],
      ],
      [
        ["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"],
        [glue("catalog"), glue(`database/${databaseName}`), glue(`table/${databaseName}/rows`)],
      ],
      [["logs:PutLogEvents"], [logs.logGroupArn]],
    ] satisfies [string[], string[]][])
      role.addToPolicy(new PolicyStatement({ actions, resources }));
    return role;
  }

  #deliveryStream(databaseName: string, logs: LogGroup, log: LogStream): CfnDeliveryStream {
    const stream = new CfnDeliveryStream(this, "Delivery", {
      deliveryStreamType: "DirectPut",
      deliveryStreamEncryptionConfigurationInput: { keyType: "AWS_OWNED_CMK" },
      extendedS3DestinationConfiguration: {
        bucketArn: this.bucket.bucketArn,
        roleArn: this.deliveryRole.roleArn,
        // By event time: the partition keys are made of the row, not of its arrival.
        prefix: `${ROWS}/site=!{partitionKeyFromQuery:site}/dt=!{partitionKeyFromQuery:dt}/hour=!{partitionKeyFromQuery:hour}/`,
        errorOutputPrefix: `${ERRORS}/!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/`,
        // Format conversion asks for 64 MB at least; few files are quick to read.
        bufferingHints: { sizeInMBs: 64, intervalInSeconds: 300 },
        compressionFormat: "UNCOMPRESSED",
        dynamicPartitioningConfiguration: { enabled: true, retryOptions: { durationInSeconds: 300 } },
        processingConfiguration: {
          enabled: true,
          processors: [
            // A record holds many rows, because each is billed as 5 KB at least.
            {
              type: "RecordDeAggregation",
              parameters: [{ parameterName: "SubRecordType", parameterValue: "JSON" }],
            },
            {
              type: "MetadataExtraction",
              parameters: [
                { parameterName: "JsonParsingEngine", parameterValue: "JQ-1.6" },
                {
                  parameterName: "MetadataExtractionQuery",
                  parameterValue:
                    '{site: (.site | @uri), dt: (.at / 1000 | floor | strftime("%Y-%m-%d")), hour: (.at / 1000 | floor | strftime("%H"))}',
                },
              ],
            },
            {
              type: "AppendDelimiterToRecord",
              parameters: [{ parameterName: "Delimiter", parameterValue: "\\n" }],
            },
          ],
        },
        dataFormatConversionConfiguration: {
          enabled: true,
          inputFormatConfiguration: { deserializer: { openXJsonSerDe: { caseInsensitive: false } } },
          outputFormatConfiguration: { serializer: { parquetSerDe: { compression: "SNAPPY" } } },
          schemaConfiguration: {
            catalogId: Aws.ACCOUNT_ID,
            databaseName,
            tableName: "rows",
            region: Stack.of(this).region,
            roleArn: this.deliveryRole.roleArn,
            versionId: "LATEST",
          },
        },
        cloudWatchLoggingOptions: {
          enabled: true,
          logGroupName: logs.logGroupName,
          logStreamName: log.logStreamName,
        },
      },
    });
    stream.node.addDependency(this.deliveryRole, this.table);
    return stream;
  }
}
