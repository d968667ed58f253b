/** The app of cdk.json, run as the CDK's command line does. */
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const { app, context } = JSON.parse(readFileSync(join(root, "cdk.json"), "utf8"));
const outdir = mkdtempSync(join(tmpdir(), "rivulet-app-"));
afterAll(() => rmSync(outdir, { recursive: true, force: true }));

/** Runs the command of cdk.json as the CDK's command line does; without credentials and without Docker on the path. */
async function synthesise(): Promise<void> {
  const [command, ...args] = app.split(" ");
  expect(command).toBe("node");
  await promisify(execFile)(process.execPath, args, {
    cwd: root,
    env: {
      PATH: `${join(root, "node_modules/.bin")}:/usr/bin:/bin`,
      HOME: outdir,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      CDK_OUTDIR: outdir,
      CDK_CONTEXT_JSON: JSON.stringify(context),
      // The template is held to CloudFormation's rules where it is tested.
      CDK_VALIDATION: "false",
    },
  });
}

describe("the app of cdk.json", () => {
  beforeAll(async () => {
    const began = performance.now();
    await synthesise();
    console.log(`synthesised in ${((performance.now() - began) / 1_000).toFixed(1)} s`);
  }, 300_000);

  it("synthesises offline", () => {
    expect(existsSync(join(outdir, "Rivulet.template.json"))).toBe(true);
  });

  it("uploads the real dashboard, collector and demo shop", () => {
    const folders = readdirSync(outdir).filter((name) => name.startsWith("asset.") && !name.endsWith(".zip"));
    const site = folders
      .map((name) => readdirSync(join(outdir, name)))
      .find((names) => names.includes("c.js"));
    expect(site).toEqual(expect.arrayContaining(["index.html", "app.js", "app.css", "c.js", "demo"]));
  });
});
