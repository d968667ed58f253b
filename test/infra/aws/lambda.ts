/** What a template says of a function, worked out: its environment's values and the folder of its code. */
import { join } from "node:path";
import type { Json, Synthesised } from "./synth.ts";

/** Values for what a template leaves open: `Ref` and `Fn::GetAtt` by logical id (or `id.attribute`). */
export type Known = Readonly<Record<string, string>>;

const ACCOUNT = "us-east-1:123456789012";

/** A name for everything that a template makes, as CloudFormation would give it; `given` has those that matter. */
export function knownOf({ template }: Synthesised, given: Known = {}): Known {
  const resources: Record<string, Json> = template.toJSON().Resources;
  const known: Record<string, string> = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
    "AWS::URLSuffix": "amazonaws.com",
  };
  for (const [id, { Type, Properties }] of Object.entries(resources)) {
    const named = Type === "AWS::Athena::WorkGroup" ? Properties.Name : undefined;
    const name = given[id] ?? named ?? id.toLowerCase().slice(-60);
    const arn = ARNS[Type]?.(name) ?? `arn:aws:other:${ACCOUNT}:${name}`;
    known[id] = Type === "AWS::SNS::Topic" ? arn : name;
    known[`${id}.Arn`] = known[`${id}.TopicArn`] = arn;
    known[`${id}.DomainName`] = `${name}.invalid`;
  }
  return { ...known, ...given };
}

const ARNS: Readonly<Record<string, (name: string) => string>> = {
  "AWS::DynamoDB::GlobalTable": (name) => `arn:aws:dynamodb:${ACCOUNT}:table/${name}`,
  "AWS::Kinesis::Stream": (name) => `arn:aws:kinesis:${ACCOUNT}:stream/${name}`,
  "AWS::KinesisFirehose::DeliveryStream": (name) => `arn:aws:firehose:${ACCOUNT}:deliverystream/${name}`,
  "AWS::S3::Bucket": (name) => `arn:aws:s3:::${name}`,
  "AWS::SNS::Topic": (name) => `arn:aws:sns:${ACCOUNT}:${name}`,
};

/** A template's value with its intrinsic functions worked out. Throws on a reference that is not known. */
export function resolve(value: Json, known: Known): Json {
  if (Array.isArray(value)) return value.map((one) => resolve(one, known));
  if (typeof value !== "object" || value === null) return value;
  const [[key, argument] = ["", undefined], ...more] = Object.entries<Json>(value);
  if (more.length === 0 && (key === "Ref" || key.startsWith("Fn::"))) return intrinsic(key, argument, known);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, resolve(one, known)]));
}

function intrinsic(name: string, argument: Json, known: Known): Json {
  const look = (id: string): string => {
    const found = known[id];
    if (found === undefined) throw new Error(`${name} of ${id} is not known`);
    return found;
  };
  if (name === "Ref") return look(argument);
  if (name === "Fn::GetAtt") return look(argument.join("."));
  const [first, second] = resolve(argument, known);
  if (name === "Fn::Join") return second.join(first);
  if (name === "Fn::Split") return second.split(first);
  if (name === "Fn::Select") return second[Number(first)];
  throw new Error(`${name} is not known`);
}

/** Folder that the template would upload for a function or a layer. */
export function bundleOf(cloud: Synthesised, id: string): string {
  const { Code, Content } = cloud.template.toJSON().Resources[id].Properties;
  const key: string = (Code ?? Content).S3Key;
  return join(cloud.outdir, `asset.${key.replace(/\.zip$/, "")}`);
}
