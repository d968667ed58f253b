/** Of the template: what is kept, where, and for how long. */
import { Match } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { chosen, cloud, full, ours, template } from "./deployments.ts";

describe("data", () => {
  it("is one table on demand that forgets by `exp`, restores to any second of a week and outlives the stack", () => {
    template.hasResource("AWS::DynamoDB::GlobalTable", {
      DeletionPolicy: "Retain",
      UpdateReplacePolicy: "Retain",
      Properties: {
        BillingMode: "PAY_PER_REQUEST",
        KeySchema: [
          { AttributeName: "pk", KeyType: "HASH" },
          { AttributeName: "sk", KeyType: "RANGE" },
        ],
        TimeToLiveSpecification: { AttributeName: "exp", Enabled: true },
        SSESpecification: { SSEEnabled: true },
        Replicas: [
          Match.objectLike({
            DeletionProtectionEnabled: true,
            PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true, RecoveryPeriodInDays: 7 },
          }),
        ],
      },
    });
  });

  it("keeps its name from version to version, and so does all that pages, people and queues know: a new name is a new and empty one", () => {
    const types = [
      "AWS::ApiGateway::RestApi",
      "AWS::CloudFront::Distribution",
      "AWS::Cognito::UserPool",
      "AWS::DynamoDB::GlobalTable",
      "AWS::Glue::Table",
      "AWS::Kinesis::Stream",
      "AWS::S3::Bucket",
      "AWS::SNS::Topic",
      "AWS::SQS::Queue",
    ];
    const names = types.flatMap((type) => [...full.of(type), ...chosen.of(type)].map(([id]) => id));
    expect([...new Set(names)].sort()).toEqual([
      "RivuletAggregationFailures487F1926",
      "RivuletAlarmsTopic020A496A",
      "RivuletAlertingTopic151721DE",
      "RivuletArchiveFailures4142BF2F",
      "RivuletArchiveRows413A0042",
      "RivuletArchiveTableA39D24BB",
      "RivuletClicksStreamDBE94C78",
      "RivuletDataTable33BECB18",
      "RivuletExploreResultsE01A63F2",
      "RivuletImportDeadLetters2F02ADA4",
      "RivuletImportFiles3D12E0CF",
      "RivuletImportQueue933B1483",
      "RivuletImportTopic2238EFBD",
      "RivuletIngestionApi2DE02400",
      "RivuletSiteDistribution88794310",
      "RivuletSiteFiles5F4ED047",
      "RivuletUsersPool8CF4B3B8",
    ]);
  });

  it("has a key type that the store driver writes", () => {
    template.hasResourceProperties("AWS::DynamoDB::GlobalTable", {
      AttributeDefinitions: [
        { AttributeName: "pk", AttributeType: "S" },
        { AttributeName: "sk", AttributeType: "S" },
      ],
    });
  });

  it("passes through an encrypted stream of one provisioned shard by default", () => {
    template.hasResourceProperties("AWS::Kinesis::Stream", {
      ShardCount: 1,
      RetentionPeriodHours: 24,
      StreamModeDetails: { StreamMode: "PROVISIONED" },
      StreamEncryption: { EncryptionType: "KMS" },
    });
  });

  it("passes through an on-demand stream when asked", () => {
    full.template.hasResourceProperties("AWS::Kinesis::Stream", {
      ShardCount: Match.absent(),
      StreamModeDetails: { StreamMode: "ON_DEMAND" },
    });
  });
});

describe("topics", () => {
  it("take TLS only, and the one that tells numbers keeps them encrypted", () => {
    const topics = full.of("AWS::SNS::Topic");
    expect(topics.length).toBeGreaterThanOrEqual(3);
    for (const [id] of topics) {
      const policy = full
        .of("AWS::SNS::TopicPolicy")
        .find(([, { Properties }]) => JSON.stringify(Properties.Topics).includes(`"${id}"`));
      expect(policy?.[1].Properties.PolicyDocument.Statement, id).toContainEqual(
        expect.objectContaining({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } }),
      );
    }
    const [, alerting] = topics.find(([id]) => id.includes("Alerting"))!;
    expect(JSON.stringify(alerting.Properties.KmsMasterKeyId)).toContain(":alias/aws/sns");
  });
});

describe("buckets", () => {
  it("are private, encrypted and refuse plain HTTP", () => {
    const buckets = cloud.of("AWS::S3::Bucket");
    expect(buckets).toHaveLength(2);
    for (const [id, { Properties }] of buckets) {
      expect(Properties, id).toMatchObject({
        BucketEncryption: expect.anything(),
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
      });
      expect(Properties, id).not.toHaveProperty("AccessControl");
      expect(Properties, id).not.toHaveProperty("WebsiteConfiguration");
      const policy = cloud.of("AWS::S3::BucketPolicy").find(([, p]) => p.Properties.Bucket.Ref === id);
      expect(policy?.[1].Properties.PolicyDocument.Statement, id).toContainEqual(
        expect.objectContaining({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } }),
      );
    }
  });

  it("stay when the stack goes, which they would stop by what is in them", () => {
    for (const [id, bucket] of full.of("AWS::S3::Bucket")) expect(bucket.DeletionPolicy, id).toBe("Retain");
  });

  it("forget failed batches, which hold addresses, after two weeks", () => {
    template.hasResourceProperties("AWS::S3::Bucket", {
      LifecycleConfiguration: {
        Rules: Match.arrayWith([Match.objectLike({ ExpirationInDays: 14, Status: "Enabled" })]),
      },
    });
  });

  it("are read by one distribution and by nobody else", () => {
    const allows = cloud
      .of("AWS::S3::BucketPolicy")
      .flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement)
      .filter(({ Effect }) => Effect === "Allow");
    expect(allows.length).toBeGreaterThan(0);
    for (const statement of allows) {
      // The deployment's own role may write there; everybody else must be this distribution.
      const isDeployer = JSON.stringify(statement.Principal).includes("CDKBucketDeployment");
      if (isDeployer) continue;
      expect(statement).toMatchObject({
        Action: "s3:GetObject",
        Principal: { Service: "cloudfront.amazonaws.com" },
        Condition: { StringEquals: { "AWS:SourceArn": expect.anything() } },
      });
    }
  });
});

describe("logs", () => {
  it("of requests, which nobody reads while all is well, are of the cheaper class", () => {
    const { AccessLogSetting } = cloud.only("AWS::ApiGateway::Stage");
    const { LogGroupClass } = cloud
      .of("AWS::Logs::LogGroup")
      .find(([id]) => JSON.stringify(AccessLogSetting.DestinationArn).includes(`"${id}"`))![1].Properties;
    expect(LogGroupClass).toBe("INFREQUENT_ACCESS");
  });

  it("are kept for a month, all of them", () => {
    const groups = cloud.of("AWS::Logs::LogGroup");
    expect(groups.length).toBeGreaterThan(ours("AWS::Lambda::Function").length);
    for (const [id, { Properties }] of groups) expect(Properties.RetentionInDays, id).toBe(30);
  });
});
