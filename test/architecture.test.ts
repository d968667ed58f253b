/** Who may import whom: first that the checker sees what it should, then that the repository holds to the rules. */
import { readdir, readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { check, importsOf } from "./architecture/check.ts";

const ROOT = new URL("..", import.meta.url);

async function sources(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const part of ["infra", "collector", "processors", "dashboard", "test"]) {
    const entries = await readdir(new URL(part, ROOT), { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
      const path = `${entry.parentPath}/${entry.name}`.slice(ROOT.pathname.length);
      files.set(path, await readFile(new URL(path, ROOT), "utf8"));
    }
  }
  return files;
}

describe("the repository", () => {
  it("holds to the rules", async () => {
    const files = await sources();
    expect(files.size).toBeGreaterThan(50);
    expect(check(files).map(({ file, line, rule }) => `${file}:${line} ${rule}`)).toEqual([]);
  });
});

/** One file, and what the checker says of it as "line rule". */
const rulesBroken = (file: string, ...lines: string[]): string[] =>
  check(new Map([[file, lines.join("\n")]])).map(({ line, rule }) => `${line} ${rule}`);

describe("the checker", () => {
  it.each<{ name: string; file: string; text: string; says: RegExp }>([
    {
      name: "a sketch that imports the model",
      file: "processors/sketches/a.ts",
      text: 'import { DAY_MS } from "../model/time.ts";',
      says: /^1 sketches must not import processors\/model\/time\.ts/,
    },
    {
      name: "a model that imports the pipeline",
      file: "processors/model/a.ts",
      text: 'import type { X } from "../pipeline/fold.ts";',
      says: /^1 model must not import processors\/pipeline\/fold\.ts/,
    },
    {
      name: "a pipeline that imports a driver",
      file: "processors/pipeline/query/a.ts",
      text: 'import { sqliteStore } from "../../stores/sqlite.ts";',
      says: /^1 pipeline must not import processors\/stores\/sqlite\.ts/,
    },
    {
      name: "a pipeline that imports Node",
      file: "processors/pipeline/a.ts",
      text: 'import { createHash } from "node:crypto";',
      says: /^1 pipeline must not import node:crypto/,
    },
    {
      name: "the AWS SDK outside a driver, even imported on the fly",
      file: "processors/pipeline/a.ts",
      text: 'const sdk = await import("@aws-sdk/client-kinesis");',
      says: /^1 pipeline must not import @aws-sdk\/client-kinesis/,
    },
    {
      name: "the X-Ray SDK anywhere but in tracing.ts, even as a type",
      file: "processors/handlers/a.ts",
      text: 'type Sdk = typeof import("aws-xray-sdk-core");',
      says: /^1 handlers must not import aws-xray-sdk-core/,
    },
    {
      name: "the CDK outside infra/aws",
      file: "infra/local/a.ts",
      text: 'import { Stack } from "aws-cdk-lib";',
      says: /^1 local infrastructure must not import aws-cdk-lib/,
    },
    {
      name: "Lambda types outside the handlers",
      file: "processors/streams/kinesis.ts",
      text: 'import type { KinesisStreamEvent } from "aws-lambda";',
      says: /^1 stream drivers must not import aws-lambda/,
    },
    {
      name: "a value where only types are allowed",
      file: "collector/a.ts",
      text: 'import { REASONS, type X } from "../processors/model/event.ts";',
      says: /^1 collector must not import processors\/model\/event\.ts other than by `import type`/,
    },
    {
      name: "a collector that imports the dashboard",
      file: "collector/a.ts",
      text: 'import { format } from "../dashboard/format.ts";',
      says: /^1 collector must not import dashboard\/format\.ts/,
    },
    {
      name: "infrastructure that imports a page's code",
      file: "infra/aws/a.ts",
      text: 'import { send } from "../../collector/send.ts";',
      says: /^1 AWS infrastructure must not import collector\/send\.ts/,
    },
    {
      name: "infrastructure on AWS that imports a handler",
      file: "infra/aws/a.ts",
      text: 'import { handler } from "../../processors/handlers/query.ts";',
      says: /^1 AWS infrastructure must not import processors\/handlers\/query\.ts/,
    },
    {
      name: "a source that imports a test",
      file: "processors/stores/memory.ts",
      text: 'import { x } from "../../test/kit/testing.ts";',
      says: /^1 store drivers must not import test\/kit\/testing\.ts/,
    },
    {
      name: "an import without its ending",
      file: "processors/model/a.ts",
      text: 'import { x } from "./time";',
      says: /^1 processors\/model\/time: name the file with its ending/,
    },
    {
      name: "a re-export like an import",
      file: "processors/model/a.ts",
      text: 'export const a = 1;\nexport { sqliteStore } from "../stores/sqlite.ts";',
      says: /^2 model must not import/,
    },
    {
      name: "an import over several lines, at its first",
      file: "processors/model/a.ts",
      text: '// first\nimport {\n  a,\n  b,\n} from "node:fs";',
      says: /^2 model must not import node:fs/,
    },
    {
      name: "an import for its effect",
      file: "processors/model/a.ts",
      text: 'import "node:fs";',
      says: /^1 model must not import node:fs/,
    },
    {
      name: "a clock in the pipeline",
      file: "processors/pipeline/a.ts",
      text: "\nconst now = Date.now();",
      says: /^2 pipeline is pure, but this line reads a clock/,
    },
    {
      name: "a date made from nothing",
      file: "processors/model/a.ts",
      text: "const now = new Date();",
      says: /reads a clock/,
    },
    {
      name: "randomness",
      file: "processors/sketches/a.ts",
      text: "const r = Math.random();",
      says: /draws random numbers/,
    },
    {
      name: "the environment",
      file: "processors/pipeline/a.ts",
      text: "const t = process.env.TABLE;",
      says: /reads the process/,
    },
    {
      name: "a timer",
      file: "processors/pipeline/a.ts",
      text: "setTimeout(run, 5);",
      says: /sets a timer/,
    },
    {
      name: "a default export",
      file: "processors/model/a.ts",
      text: "export default 1;",
      says: /default export/,
    },
    {
      name: "a barrel by name",
      file: "processors/model/index.ts",
      text: "export const a = 1;",
      says: /barrel by name/,
    },
    {
      name: "a barrel by content",
      file: "processors/model/all.ts",
      text: '/** All. */\nexport * from "./a.ts";\nexport { b } from "./b.ts";\n',
      says: /only passes on/,
    },
    { name: "a name that says nothing", file: "processors/utils.ts", text: "", says: /says nothing/ },
    {
      name: "a file that no rule covers",
      file: "scripts/a.ts",
      text: "",
      says: /belongs to no part/,
    },
  ])("sees $name", ({ file, text, says }) => {
    const broken = rulesBroken(file, ...text.split("\n"));
    expect(broken.length).toBe(1);
    expect(broken[0]).toMatch(says);
  });

  it("sees a cycle of three, of types too, and says which way it runs", () => {
    const files = new Map([
      ["processors/model/a.ts", 'import type { B } from "./b.ts";'],
      ["processors/model/b.ts", '\nimport { C } from "./c.ts";'],
      ["processors/model/c.ts", 'import { A } from "./a.ts";'],
      ["processors/model/d.ts", 'import { A } from "./a.ts";'],
    ]);
    expect(check(files)).toEqual([
      {
        file: "processors/model/c.ts",
        line: 1,
        rule: "closes a cycle: processors/model/a.ts -> processors/model/b.ts -> processors/model/c.ts -> processors/model/a.ts",
      },
    ]);
  });

  it.each<{ name: string; file: string; text: string }>([
    {
      name: "types of the model in the collector, one way or the other",
      file: "collector/a.ts",
      text: 'import type { A } from "../processors/model/event.ts";\nimport { type B } from "../processors/model/time.ts";',
    },
    {
      name: "words in comments",
      file: "processors/pipeline/a.ts",
      text: '/** Never Date.now(), and no import("node:fs"). */\nconst a = 1; // not process.env\n// setTimeout(later)',
    },
    {
      name: "imports inside a string",
      file: "processors/model/a.ts",
      text: 'const text = `\n  import x from "node:fs";`;',
    },
    {
      name: "a date made from a number",
      file: "processors/model/a.ts",
      text: "const day = new Date(at).getUTCDay();",
    },
    {
      name: "a drawing of the same file from two sides",
      file: "processors/pipeline/a.ts",
      text: 'import { a } from "./fold.ts";\nimport { b } from "./commit.ts";',
    },
    { name: "a tool's configuration", file: "test/vitest.config.ts", text: "export default {};" },
  ])("does not mind $name", ({ file, text }) => {
    expect(rulesBroken(file, text)).toEqual([]);
  });

  it("tells types from values", () => {
    const text = [
      'import type { A } from "./a.ts";',
      'import { type B, type C } from "./b.ts";',
      'import { type D, e } from "./d.ts";',
      'import * as f from "./f.ts";',
      'type G = typeof import("./g.ts");',
      'const h = await import("./h.ts");',
    ].join("\n");
    expect(importsOf(text).map(({ line, isTypeOnly }) => [line, isTypeOnly])).toEqual([
      [1, true],
      [2, true],
      [3, false],
      [4, false],
      [5, true],
      [6, false],
    ]);
  });
});
