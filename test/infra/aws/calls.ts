/** What a request to AWS asks for, as IAM sees it, and whether a role of the template lets it pass: nothing passes that no statement allows. */
import type { Exchange } from "../../conformance/doubles.ts";
import { type Known, resolve } from "./lambda.ts";
import type { Json, Synthesised } from "./synth.ts";

export interface Call {
  /** `dynamodb:UpdateItem` */
  readonly action: string;
  /** ARNs; none where the request itself does not name any (a shard's iterator). */
  readonly resources: readonly string[];
  /** Partition keys of the items. */
  readonly leadingKeys: readonly string[];
}

const ACCOUNT = "us-east-1:123456789012";

/** Throws on a service that no function of ours calls. */
export function callOf({ service, method, path, operation, body }: Exchange): Call {
  const call = (name: string, resources: readonly string[], leadingKeys: readonly string[] = []): Call => ({
    action: `${service}:${name}`,
    resources,
    leadingKeys,
  });
  const json = (): Json => JSON.parse(body.toString() || "{}");
  switch (service) {
    case "dynamodb": {
      const { TableName, RequestItems, Key } = json();
      const tables = TableName ? [TableName] : Object.keys(RequestItems ?? {});
      const requests = Object.values<Json>(operation === "BatchWriteItem" ? RequestItems : {}).flat();
      const keys = [Key, ...requests.map((one) => one.DeleteRequest?.Key ?? one.PutRequest?.Item)];
      return call(
        operation,
        tables.map((name) => `arn:aws:dynamodb:${ACCOUNT}:table/${name}`),
        keys.flatMap((key) => key?.pk?.S ?? []),
      );
    }
    case "kinesis": {
      const { StreamName, StreamARN } = json();
      const arn = StreamARN ?? (StreamName && `arn:aws:kinesis:${ACCOUNT}:stream/${StreamName}`);
      return call(operation, arn ? [arn] : []);
    }
    case "firehose":
      return call(operation, [`arn:aws:firehose:${ACCOUNT}:deliverystream/${json().DeliveryStreamName}`]);
    case "athena": {
      const { WorkGroup } = json();
      return call(operation, WorkGroup ? [`arn:aws:athena:${ACCOUNT}:workgroup/${WorkGroup}`] : []);
    }
    case "sns": {
      const parameters = new URLSearchParams(body.toString());
      return call(parameters.get("Action") ?? operation, [parameters.get("TopicArn") ?? ""]);
    }
    case "monitoring":
      return { action: `cloudwatch:${operation}`, resources: ["*"], leadingKeys: [] };
    case "xray":
      // Its write actions know no resources.
      return call(path === "/TraceSegments" ? "PutTraceSegments" : path, ["*"]);
    case "lambda": {
      const [, , kind, id] = path.split("/");
      const name = method === "PUT" && kind === "event-source-mappings" ? "UpdateEventSourceMapping" : method;
      return call(name, [`arn:aws:lambda:${ACCOUNT}:event-source-mapping:${id}`]);
    }
    case "s3": {
      const [bucket = "", ...key] = path.slice(1).split("?")[0]!.split("/");
      const name = key.join("/");
      if (method === "POST" && path.includes("?delete")) {
        const keys = [...body.toString().matchAll(/<Key>([^<&]+)<\/Key>/g)].map(([, one]) => one);
        // IAM asks for each object.
        return call(
          "DeleteObject",
          keys.map((one) => `arn:aws:s3:::${bucket}/${one}`),
        );
      }
      if (name === "") return call(method === "GET" ? "ListBucket" : method, [`arn:aws:s3:::${bucket}`]);
      const of: Record<string, string> = { GET: "GetObject", HEAD: "GetObject", PUT: "PutObject" };
      return call(of[method] ?? method, [`arn:aws:s3:::${bucket}/${decodeURIComponent(name)}`]);
    }
    default:
      throw new Error(`no function of ours calls ${service}: ${method} ${path}`);
  }
}

/** What the role of a function allows. */
export function roleOf(cloud: Synthesised, functionId: string, known: Known): (call: Call) => boolean {
  const [, { Properties }] = cloud.of("AWS::Lambda::Function").find(([id]) => id === functionId)!;
  const roleId: string = Properties.Role["Fn::GetAtt"][0];
  const statements = cloud
    .of("AWS::IAM::Policy")
    .filter(([, policy]) => policy.Properties.Roles.some(({ Ref }: Json) => Ref === roleId))
    .flatMap(([, policy]): Json[] => resolve(policy.Properties.PolicyDocument.Statement, known));
  return ({ action, resources, leadingKeys }) =>
    statements.some(
      ({ Action, Resource, Condition }) =>
        [Action].flat().includes(action) &&
        resources.every((arn) => [Resource].flat().some((pattern: string) => isLike(pattern, arn))) &&
        holds(Condition, leadingKeys),
    );
}

/** `*` is any characters. */
const isLike = (pattern: string, text: string): boolean =>
  new RegExp(`^${pattern.split("*").map(escaped).join(".*")}$`).test(text);

/** The one kind of condition that our roles have. Throws on another, so that none is taken for granted. */
function holds(condition: Json, leadingKeys: readonly string[]): boolean {
  if (condition === undefined) return true;
  const [[operator, terms] = ["", {}], ...more] = Object.entries<Json>(condition);
  const allowed = terms["dynamodb:LeadingKeys"];
  if (more.length > 0 || operator !== "ForAllValues:StringLike" || !allowed)
    throw new Error(`no such condition is known: ${JSON.stringify(condition)}`);
  return leadingKeys.every((key) => [allowed].flat().some((pattern: string) => isLike(pattern, key)));
}

const escaped = (text: string): string => text.replace(/[.+?^${}()|[\]\\]/g, "\\$&");
