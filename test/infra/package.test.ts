/** The npm package as others install it: entries, types, command line and what it leaves out. */
import { execFile, execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));

/** An empty app that has the packed tarball, and beside it what npm would have installed with it. */
let app: string;
let tarball: string;

describe("the npm package", () => {
  beforeAll(() => {
    app = mkdtempSync(join(tmpdir(), "rivulet-consumer-"));
    const output = execFileSync("npm", ["pack", "--silent", "--pack-destination", app], {
      cwd: root,
      encoding: "utf8",
    });
    tarball = join(app, output.trim().split("\n").at(-1)!);
    const modules = join(app, "node_modules");
    mkdirSync(join(modules, "rivulet"), { recursive: true });
    for (const name of readdirSync(join(root, "node_modules"))) {
      if (!name.startsWith(".")) symlinkSync(join(root, "node_modules", name), join(modules, name));
    }
    execFileSync("tar", ["xzf", tarball, "-C", join(modules, "rivulet"), "--strip-components=1"]);
  });
  afterAll(() => rmSync(app, { recursive: true, force: true }));

  const file = (name: string, text: string): string => {
    writeFileSync(join(app, name), text);
    return name;
  };
  const inApp = (command: string, args: string[], env: NodeJS.ProcessEnv = {}) =>
    run(command, args, { cwd: app, env: { ...process.env, ...env } });

  it.each([
    [
      "an ES module",
      "app.mjs",
      'import { App, Stack } from "aws-cdk-lib";\nimport { Rivulet } from "rivulet";',
      "",
      "",
    ],
    [
      "CommonJS",
      "app.cjs",
      'const { App, Stack } = require("aws-cdk-lib");\nconst { Rivulet } = require("rivulet");',
      // What is bundled and served is the same: once is enough.
      '{ context: { "aws:cdk:bundling-stacks": [] } }',
      ', files: new Map([["/", { body: Buffer.from("<!doctype html>") }]])',
    ],
  ])(
    "gives an app written as %s the construct, and the app synthesises offline",
    async (_kind, name, imports, options, more) => {
      file(
        name,
        `${imports}\nconst app = new App(${options});\nnew Rivulet(new Stack(app, "Mine"), "Analytics", { sites: [{ id: "example.com", timeZone: "Asia/Seoul" }]${more} });\napp.synth();\n`,
      );
      // The template is held to CloudFormation's rules where it is tested.
      await inApp(process.execPath, [name], {
        CDK_OUTDIR: join(app, `out-${name}`),
        CDK_VALIDATION: "false",
      });
      const template = JSON.parse(readFileSync(join(app, `out-${name}`, "Mine.template.json"), "utf8"));
      const types = Object.values<{ Type: string }>(template.Resources).map(({ Type }) => Type);
      expect(types).toEqual(
        expect.arrayContaining([
          "AWS::Kinesis::Stream",
          "AWS::DynamoDB::GlobalTable",
          "AWS::Lambda::Function",
        ]),
      );
    },
  );

  it("has types for each entry that a strict app compiles with", async () => {
    const source = file(
      "typed.ts",
      `import type { RivuletProps } from "rivulet";
import { Rivulet } from "rivulet";
import { track } from "rivulet/collector";
import { generate, replay } from "rivulet/testing";
export const props: RivuletProps = { sites: [{ id: "a", timeZone: "UTC" }], stream: { shards: 2 } };
export const all = [Rivulet, track, generate, replay];
// @ts-expect-error a construct without sites would count nothing
export const none: RivuletProps = {};
`,
    );
    const flags = [
      "--module",
      "nodenext",
      "--target",
      "es2024",
      "--strict",
      "--noEmit",
      "--skipLibCheck",
      "--types",
      "node",
    ];
    await inApp(join(root, "node_modules/.bin/tsc"), [...flags, source]);
  });

  it("runs the command line and the test kit from what was compiled", async () => {
    const cli = join(app, "node_modules/rivulet/infra/local/bin.js");
    const { stdout } = await inApp(process.execPath, [
      cli,
      "snippet",
      "--site",
      "example.com",
      "--url",
      "https://x.example",
    ]);
    expect(stdout).toContain('data-site="example.com"');
    const script = file(
      "kit.mjs",
      'import { manualClock } from "rivulet/testing";\nconsole.log(manualClock(5).now());\n',
    );
    const required = file(
      "kit.cjs",
      'const { manualClock } = require("rivulet/testing");\nconsole.log(manualClock(5).now());\n',
    );
    for (const one of [script, required])
      expect((await inApp(process.execPath, [one])).stdout, one).toBe("5\n");
  });

  it("installs every package that its declarations name", () => {
    const pkgDir = join(app, "node_modules/rivulet");
    const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(pkgDir, "package.json"), "utf8"));
    const installed = Object.keys({ ...dependencies, ...peerDependencies });
    const declarations = readdirSync(pkgDir, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".d.ts"),
    );
    const named = declarations.flatMap((name) =>
      [...readFileSync(join(pkgDir, name), "utf8").matchAll(/ from "((?:@[^/"]+\/)?[\w-]+)[/"]/g)].map(
        ([, found]) => found!,
      ),
    );
    expect(named.length).toBeGreaterThan(10);
    expect(
      [...new Set(named)].filter((one) => !installed.some((it) => it === one || it === `@types/${one}`)),
    ).toEqual([]);
  });

  it("has nothing that publint would change, and holds neither sources nor tests", async () => {
    const pkgDir = join(app, "node_modules/rivulet");
    const { messages, pkg } = await publint({ pkgDir, strict: true, pack: false });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
    const files = readdirSync(pkgDir, { recursive: true, encoding: "utf8" });
    expect(files.filter((name) => /\.test\.|tsconfig|package-lock/.test(name))).toEqual([]);
    expect(files).toEqual(expect.arrayContaining(["README.md", "LICENSE", "dist/infra/aws/rivulet.d.ts"]));
  });

  it("has types that every way to import it finds", async () => {
    await inApp(join(root, "node_modules/.bin/attw"), [tarball, "--profile", "esm-only"]);
  });

  it("names the same entries for the test kit as its sources do", async () => {
    const entry = new URL("../kit/testing.js", import.meta.url).href;
    const [packaged, source] = await Promise.all([import(entry), import("../kit/testing.ts")]);
    expect(Object.keys(packaged).sort()).toEqual(Object.keys(source).sort());
  });
});
