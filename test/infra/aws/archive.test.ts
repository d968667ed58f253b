/** The archive in the template: table, delivery stream and how long rows are kept. */
import { rmSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { ARCHIVE_COLUMNS } from "../../../processors/model/archive.ts";
import { type Resource, synthesise } from "./synth.ts";

const cloud = synthesise({
  context: { archive: "730,shop.example.com:90,카페.example:30,localhost:8080:7" },
});
const without = synthesise();
afterAll(() => {
  for (const { outdir } of [cloud, without]) rmSync(outdir, { recursive: true, force: true });
});
const destination = cloud.only("AWS::KinesisFirehose::DeliveryStream").ExtendedS3DestinationConfiguration;

describe("the archive on AWS", () => {
  it("is made only where it is asked for", () => {
    expect(without.of("AWS::KinesisFirehose::DeliveryStream")).toEqual([]);
    expect(without.of("AWS::Lambda::EventSourceMapping")).toHaveLength(1);
    expect(cloud.of("AWS::Lambda::EventSourceMapping")).toHaveLength(2);
  });

  it("has a table with exactly the model's columns; the site is a partition", () => {
    const { StorageDescriptor, PartitionKeys } = cloud.only("AWS::Glue::Table").TableInput;
    const names = [...PartitionKeys, ...StorageDescriptor.Columns].map(({ Name }: { Name: string }) => Name);
    expect(names.toSorted()).toEqual([...ARCHIVE_COLUMNS.map(({ name }) => name), "dt", "hour"].toSorted());
  });

  it("puts rows where the table looks for them, by event time, and what is no row apart", () => {
    expect(destination.Prefix).toMatch(/^archive\/site=!{partitionKeyFromQuery:site}\/dt=.*\/hour=.*\/$/);
    expect(destination.ErrorOutputPrefix).toContain("!{firehose:error-output-type}");
    const { "storage.location.template": template } = cloud.only("AWS::Glue::Table").TableInput.Parameters;
    expect(JSON.stringify(template)).toMatch(/\/archive\/site=\$\{site\}\/dt=\$\{dt\}\/hour=\$\{hour\}\//);
    // The earliest millisecond of 13 digits, before which an import refuses events.
    expect(cloud.only("AWS::Glue::Table").TableInput.Parameters["projection.dt.range"]).toBe(
      `${new Date(1e12).toISOString().slice(0, 10)},NOW+1DAYS`,
    );
    const [, extraction] = destination.ProcessingConfiguration.Processors;
    for (const key of ["site:", "dt:", "hour:"]) expect(JSON.stringify(extraction)).toContain(key);
  });

  it("takes records apart before it makes Parquet of them", () => {
    const types = destination.ProcessingConfiguration.Processors.map(({ Type }: { Type: string }) => Type);
    expect(types).toEqual(["RecordDeAggregation", "MetadataExtraction", "AppendDelimiterToRecord"]);
    expect(destination.DataFormatConversionConfiguration.Enabled).toBe(true);
    expect(destination.BufferingHints.SizeInMBs).toBeGreaterThanOrEqual(64);
  });

  it("keeps rows as long as it is told, and the bucket when the stack goes", () => {
    const [, rows] = cloud.of("AWS::S3::Bucket").find(([id]) => id.includes("ArchiveRows"))!;
    expect(rows.DeletionPolicy).toBe("Retain");
    expect(rows.Properties.LifecycleConfiguration.Rules).toContainEqual(
      expect.objectContaining({ Prefix: "archive/", ExpirationInDays: 730, Status: "Enabled" }),
    );
    expect(rows.Properties.LifecycleConfiguration.Rules).toContainEqual(
      expect.objectContaining({ Prefix: "archive/site=shop.example.com/", ExpirationInDays: 90 }),
    );
    // As the delivery stream names the folder.
    expect(rows.Properties.LifecycleConfiguration.Rules).toContainEqual(
      expect.objectContaining({
        Prefix: "archive/site=%EC%B9%B4%ED%8E%98.example/",
        ExpirationInDays: 30,
      }),
    );
    expect(rows.Properties.LifecycleConfiguration.Rules).toContainEqual(
      expect.objectContaining({ Prefix: "archive/site=localhost%3A8080/", ExpirationInDays: 7 }),
    );
  });

  it("reads each shard with one reader and keeps what it gives up", () => {
    for (const [, { Properties }] of cloud.of("AWS::Lambda::EventSourceMapping")) {
      expect(Properties.ParallelizationFactor).toBe(1);
      expect(Properties.BisectBatchOnFunctionError).toBe(true);
      expect(Properties.DestinationConfig.OnFailure.Destination).toBeDefined();
    }
  });

  it("comes with a workflow that counts again, traced and logged, whose leavings are not kept", () => {
    expect(without.of("AWS::StepFunctions::StateMachine")).toEqual([]);
    const [[id, { Properties }]] = cloud.of("AWS::StepFunctions::StateMachine") as [[string, Resource]];
    expect(Properties).toMatchObject({
      StateMachineType: "STANDARD",
      TracingConfiguration: { Enabled: true },
      LoggingConfiguration: { Level: "ALL" },
    });
    const [steps] = cloud.of("AWS::Lambda::Function").find(([name]) => name.includes("RebuildSteps"))!;
    expect(JSON.stringify(Properties.DefinitionString)).toContain(steps);
    cloud.template.hasOutput("*", {
      Description: "Start it to count again from the archive",
      Value: { Ref: id },
    });
    const [, rows] = cloud.of("AWS::S3::Bucket").find(([name]) => name.includes("ArchiveRows"))!;
    for (const [Prefix, ExpirationInDays] of [
      ["rebuild/interim/", 3],
      ["rebuild/reports/", 90],
    ])
      expect(rows.Properties.LifecycleConfiguration.Rules).toContainEqual(
        expect.objectContaining({ Prefix, ExpirationInDays, Status: "Enabled" }),
      );
  });

  it("refuses to be kept for two lengths of time, of which one would hold without a word", () => {
    for (const [archive, twice] of [
      ["730,90", "all sites"],
      ["true,a.example:90,a.example:30", "a.example"],
    ] as const)
      expect(() => synthesise({ context: { archive } })).toThrow(`archive names ${twice} twice: ${archive}`);
  });

  it("refuses a retention that is no number of days", () => {
    expect(() => synthesise({ context: { archive: "2y" } })).toThrow("archive is not a whole number");
    expect(() => synthesise({ context: { archive: "30,shop.example.com:90" } })).toThrow(
      "shop.example.com would be kept for 90 days, and all sites for 30",
    );
  });
});

describe("questions to the archive on AWS", () => {
  it("are bounded by a workgroup that nobody who asks can overrule", () => {
    const [[, workgroup] = []] = cloud.of("AWS::Athena::WorkGroup");
    expect(workgroup?.Properties.WorkGroupConfiguration).toMatchObject({
      EnforceWorkGroupConfiguration: true,
      BytesScannedCutoffPerQuery: 10_000_000_000,
      ResultConfiguration: { EncryptionConfiguration: { EncryptionOption: "SSE_S3" } },
    });
  });

  it("leave no result for longer than a day", () => {
    const [, results] = cloud.of("AWS::S3::Bucket").find(([id]) => id.includes("ExploreResults"))!;
    expect(results.Properties.LifecycleConfiguration.Rules).toContainEqual(
      expect.objectContaining({ ExpirationInDays: 1, Status: "Enabled" }),
    );
    expect(results.Properties.PublicAccessBlockConfiguration.RestrictPublicBuckets).toBe(true);
  });

  it("are asked by the query function, which knows the workgroup and the database", () => {
    const [, query] = cloud.of("AWS::Lambda::Function").find(([id]) => id.includes("ServingQuery"))!;
    expect(query.Properties.Environment.Variables).toMatchObject({
      RIVULET_WORKGROUP: expect.anything(),
      RIVULET_DATABASE: expect.anything(),
    });
  });

  it("are not there without an archive", () => {
    expect(without.of("AWS::Athena::WorkGroup")).toEqual([]);
  });
});
