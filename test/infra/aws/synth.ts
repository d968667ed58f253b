/** Synthesises the app as `cdk synth` would, with small stand-ins for the site's files; call once per test file. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, Stack, type StackProps } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { rivuletStack } from "../../../infra/aws/app.ts";
import type { Rivulet } from "../../../infra/aws/rivulet.ts";
import type { SiteFiles } from "../../../infra/aws/site.ts";

// biome-ignore lint/suspicious/noExplicitAny: CloudFormation's shapes, which the assertions themselves check
export type Json = any;

export interface Resource {
  readonly Type: string;
  readonly Properties: Json;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}

export interface Synthesised {
  readonly app: App;
  readonly stack: Stack;
  readonly rivulet: Rivulet;
  /** Synthesises on first use. */
  readonly template: Template;
  readonly outdir: string;
  /** Resources of one type by logical id. */
  of(type: string): [id: string, resource: Resource][];
  /** Properties of the only resource of a type. Throws when there are more, or none. */
  only(type: string): Json;
}

const root = new URL("../../..", import.meta.url);
const files = new Map([
  ["/", { body: new TextEncoder().encode("<!doctype html><title>Dashboard</title>") }],
  ["/c.js", { body: new TextEncoder().encode("// collector") }],
  ["/demo/", { body: new TextEncoder().encode("<!doctype html><title>Demo</title>") }],
]);

/** Context by which functions are not bundled: their code is a stand-in, and synthesis is quicker. */
const UNBUNDLED = { "aws:cdk:bundling-stacks": [] };

/** For constructs that a test makes itself: in an app of its own, with functions that are not bundled. */
export const bareStack = (id: string, props?: StackProps): Stack =>
  new Stack(new App({ context: UNBUNDLED }), id, props);

/** For deployments whose pages do not matter. */
export const PAGES: SiteFiles = new Map([["/", { body: new TextEncoder().encode("dashboard") }]]);

/** Of a domain's own name. */
export const CERTIFICATE =
  "arn:aws:acm:us-east-1:123456789012:certificate/4b1f7e52-3a0f-4a1e-9c0f-0d6a4a6a3b11";

/** What an environment variable holds, once for each function that has it. */
export const valuesOf = ({ of }: Pick<Synthesised, "of">, variable: string): string[] =>
  of("AWS::Lambda::Function").flatMap(
    ([, { Properties }]) => Properties.Environment?.Variables?.[variable] ?? [],
  );

function stackOrNothing(app: App): ReturnType<typeof rivuletStack> {
  try {
    return rivuletStack(app, files);
  } catch (error) {
    rmSync(app.outdir, { recursive: true, force: true });
    throw error;
  }
}

export function synthesise({
  context = {},
  bundle = false,
  validate = false,
  before,
}: {
  readonly context?: Readonly<Record<string, string>>;
  /** Bundles the handlers, as a deployment does. */
  readonly bundle?: boolean;
  /** Has CDK hold the template to CloudFormation's rules, as a deployment does; its engine takes five seconds to load. */
  readonly validate?: boolean;
  /** Called with the app before anything is in it. */
  readonly before?: (app: App) => void;
} = {}): Synthesised {
  const { context: defaults } = JSON.parse(readFileSync(new URL("cdk.json", root), "utf8"));
  const outdir = mkdtempSync(join(tmpdir(), "rivulet-synth-"));
  const app = new App({
    outdir,
    builtinCloudFormationValidation: validate,
    context: { ...defaults, ...context, ...(bundle ? {} : UNBUNDLED) },
  });
  before?.(app);
  const { stack, rivulet } = stackOrNothing(app);
  let made: Template | undefined;
  const template = (): Template => {
    made ??= Template.fromStack(stack);
    return made;
  };
  return {
    app,
    stack,
    rivulet,
    outdir,
    get template() {
      return template();
    },
    of: (type) => Object.entries(template().findResources(type)) as [string, Resource][],
    only: (type) => {
      const found = Object.values(template().findResources(type));
      if (found.length !== 1) throw new Error(`expected one ${type}, found ${found.length}`);
      return found[0]!.Properties;
    },
  };
}
