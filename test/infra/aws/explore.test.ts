import { describe, expect, it } from "vitest";
import { synthesise } from "./synth.ts";

const cloud = synthesise({ context: { archive: "true" } });

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
    expect(synthesise({}).of("AWS::Athena::WorkGroup")).toEqual([]);
  });
});
