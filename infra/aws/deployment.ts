/**
 * Puts files into a bucket while the stack is deployed: by aws-cdk-lib's function, with a role of ours that may read these
 * files, write to that bucket and tell that distribution. The library's own allows actions by wildcards.
 */
import { Aws, Stack } from "aws-cdk-lib";
import type { Distribution } from "aws-cdk-lib/aws-cloudfront";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { LogGroup } from "aws-cdk-lib/aws-logs";
import type { Bucket } from "aws-cdk-lib/aws-s3";
import { BucketDeployment, type BucketDeploymentProps, type ISource } from "aws-cdk-lib/aws-s3-deployment";
import { Construct } from "constructs";
import { monthLog } from "./logs.ts";

/** The library keeps one function in a stack for each amount of memory: not the one that the stack's other files share. */
const MEMORY_MB = 192;

/** What all deployments of a stack share, as they share the function. */
class Deployer extends Construct {
  readonly role: Role;
  readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.logGroup = monthLog(this, "Logs");
    this.role = new Role(this, "Role", {
      assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
      description: "Rivulet: puts the site's files into their bucket during a deployment",
    });
    this.logGroup.grantWrite(this.role);
  }

  static of(scope: Construct): Deployer {
    const stack = Stack.of(scope);
    return (
      (stack.node.tryFindChild("RivuletDeployer") as Deployer | undefined) ??
      new Deployer(stack, "RivuletDeployer")
    );
  }

  allow(actions: string[], ...resources: string[]): void {
    this.role.addToPolicy(new PolicyStatement({ actions, resources }));
  }
}

export interface DeployedTo {
  readonly bucket: Bucket;
  readonly distribution: Distribution;
}

/** A deployment of `sources` as `options` say. */
export function deployFiles(
  scope: Construct,
  id: string,
  { bucket, distribution }: DeployedTo,
  options: Pick<BucketDeploymentProps, "sources" | "exclude" | "include" | "prune" | "cacheControl">,
): BucketDeployment {
  const deployer = Deployer.of(scope);
  const role = deployer.role.withoutPolicyUpdates();
  deployer.allow(["s3:ListBucket"], bucket.bucketArn);
  // Files are uploaded in parts when they are large; the last right ends an upload that failed.
  deployer.allow(["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"], bucket.arnForObjects("*"));
  deployer.allow(
    ["cloudfront:CreateInvalidation", "cloudfront:GetInvalidation"],
    `arn:${Aws.PARTITION}:cloudfront::${Aws.ACCOUNT_ID}:distribution/${distribution.distributionId}`,
  );
  const readable = (source: ISource): ISource => {
    const config = source.bind(scope, { handlerRole: role });
    deployer.allow(["s3:GetObject"], config.bucket.arnForObjects(config.zipObjectKey));
    return { bind: () => config };
  };
  return new BucketDeployment(scope, id, {
    ...options,
    sources: options.sources.map(readable),
    destinationBucket: bucket,
    distribution,
    role,
    logGroup: deployer.logGroup,
    memoryLimit: MEMORY_MB,
  });
}
