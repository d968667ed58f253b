/** A second opinion on a template: AWS's own rules (the proactive controls of Control Tower) by cfn-guard, for every service that we use. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { arch, platform } from "node:os";
import { dirname, join } from "node:path";
import type { Json, Synthesised } from "./synth.ts";

const SERVICES = [
  "apigateway",
  "athena",
  "certificatemanager",
  "cloudfront",
  "cloudwatch",
  "dynamodb",
  "glue",
  "identityandaccessmanagement",
  "kinesis",
  "lambda",
  "s3",
  "sqs",
  "stepfunctions",
  "waf",
];

const FOLDER: Readonly<Record<string, string>> = { linux: "ubuntu", darwin: "macos" };
const HOME = dirname(createRequire(import.meta.url).resolve("@cdklabs/cdk-validator-cfnguard/package.json"));
const GUARD = join(
  HOME,
  "bin",
  FOLDER[platform()] ?? "",
  arch() === "arm64" ? "aarch64" : "x86_64",
  "cfn-guard",
);

/** The package brings the program for these alone. */
export const hasGuard = platform() in FOLDER;

/** Names of the rules that found something, and of those that found all well. Throws what cfn-guard says of itself. */
export function judged(cloud: Synthesised): { readonly failed: string[]; readonly passed: string[] } {
  const template = structuredClone(cloud.template.toJSON());
  // Large, and no rule looks into it.
  for (const { Type, Properties } of Object.values<Json>(template.Resources))
    if (Type === "AWS::ApiGateway::RestApi") Properties.Body = {};
  const data = join(cloud.outdir, "guard.json");
  // Rules take a reference for a resource of the template, and the account is none.
  writeFileSync(data, JSON.stringify(template).replaceAll('{"Ref":"AWS::AccountId"}', '"123456789012"'));
  const rules = SERVICES.map((service) => join(HOME, "rules/control-tower/cfn-guard", service));
  const flags = ["--output-format", "json", "--structured", "--show-summary", "none"];
  const { stdout, stderr } = spawnSync(GUARD, ["validate", "--data", data, "--rules", ...rules, ...flags], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (stderr !== "") throw new Error(stderr);
  const [report] = JSON.parse(stdout);
  return {
    failed: report.not_compliant.map(({ Rule }: Json) => Rule.name).toSorted(),
    passed: report.compliant,
  };
}
