/** cdk-nag's findings and our answers to them: none is missing, none is left over. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type App, Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { afterAll, describe, expect, it } from "vitest";
import { acknowledge, acknowledgements } from "../../../infra/aws/acknowledgements.ts";
import { synthesise } from "./synth.ts";

const before = (app: App): void => {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
};
const context = { archive: "true", imports: "true", auth: "cognito", budget: "50" };
const bare = synthesise({ before, context });
const acknowledged = synthesise({ before, context });
acknowledge(acknowledged.rivulet);
afterAll(() => {
  for (const { outdir } of [bare, acknowledged]) rmSync(outdir, { recursive: true, force: true });
});

describe("cdk-nag's AwsSolutions", () => {
  it("lets the stack pass, every finding being acknowledged", () => {
    expect(() => acknowledged.app.synth()).not.toThrow();
  }, 120_000);

  it("finds something for every acknowledgement, so that none is left over", () => {
    expect(() => bare.app.synth()).toThrow(/AwsSolutions-S1/);
    const report = readFileSync(join(bare.outdir, "validation-report.json"), "utf8");
    const idle = [...acknowledgements(bare.rivulet)].filter(({ rule }) => !report.includes(rule));
    expect(idle).toEqual([]);
  });

  it("is answered with a reason and with constructs that exist", () => {
    for (const { rule, reason, to } of acknowledgements(acknowledged.rivulet)) {
      expect(reason.split(" ").length, rule).toBeGreaterThan(5);
      expect(to.length, rule).toBeGreaterThan(0);
    }
  });
});
