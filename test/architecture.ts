/** The rules of who may import whom, as a table, and a checker that reads source text. Knows no disk. */

export interface Violation {
  readonly file: string;
  /** 1 is the first line. */
  readonly line: number;
  readonly rule: string;
}

/** What the files of one part may import. The first zone whose `files` match owns a file. */
interface Zone {
  readonly name: string;
  readonly files: RegExp;
  /** Repository paths. */
  readonly local: RegExp;
  /** Package names without subpath; `node:` modules as `node:`. */
  readonly packages: RegExp;
  /** Repository paths of which types alone may be imported. */
  readonly localTypes?: RegExp;
  readonly packageTypes?: RegExp;
  /** No clock, randomness, environment or timer: all of them come as arguments. */
  readonly isPure?: true;
}

const NOTHING = /^(?!)/;

/** The interfaces that drivers fulfil and the pipeline asks for. */
const PORT = String.raw`processors/(streams/stream|stores/store|archives/archive|tracer)\.ts$`;
const INNER = String.raw`processors/(sketches|model)/|processors/errors\.ts$`;

/** design.md 2 and style.md 3.2 as a table; the reasons are in docs/architecture.md. */
const ZONES: readonly Zone[] = [
  {
    name: "sketches",
    files: /^processors\/sketches\//,
    local: /^processors\/sketches\//,
    packages: NOTHING,
    isPure: true,
  },
  {
    name: "model",
    files: /^processors\/model\//,
    local: /^processors\/(sketches|model)\//,
    packages: NOTHING,
    isPure: true,
  },
  { name: "errors", files: /^processors\/errors\.ts$/, local: NOTHING, packages: NOTHING, isPure: true },
  {
    name: "ports",
    files: new RegExp(`^${PORT}`),
    local: new RegExp(`^(${INNER})`),
    packages: NOTHING,
    isPure: true,
  },
  {
    name: "pipeline",
    files: /^processors\/pipeline\//,
    local: new RegExp(`^(processors/pipeline/|${INNER}|${PORT})`),
    packages: /^(bowser|isbot)$/, // read a user agent: text in, text out
    isPure: true,
  },
  {
    name: "environment",
    files: /^processors\/env\.ts$/,
    local: new RegExp(`^(${INNER})`),
    packages: NOTHING,
  },
  {
    name: "AWS client settings",
    files: /^processors\/aws\.ts$/,
    local: new RegExp(`^(${INNER})`),
    packages: /^(node:|@smithy\/node-http-handler$)/,
  },
  {
    name: "tracing driver",
    files: /^processors\/tracing\.ts$/,
    local: new RegExp(`^(${INNER}|${PORT})`),
    packages: /^aws-xray-sdk-core$/,
  },
  {
    name: "stream drivers",
    files: /^processors\/streams\//,
    local: new RegExp(String.raw`^(processors/streams/|processors/(sqlite|aws)\.ts$|${INNER})`),
    packages: /^(node:|@aws-sdk\/client-kinesis$|@smithy\/node-http-handler$)/,
  },
  {
    name: "store drivers",
    files: /^processors\/stores\//,
    local: new RegExp(
      String.raw`^(processors/stores/|processors/(sqlite|aws)\.ts$|processors/streams/stream\.ts$|${INNER})`,
    ),
    packages: /^(node:|@aws-sdk\/(client|lib|util)-dynamodb$|@smithy\/node-http-handler$)/,
  },
  {
    name: "archive drivers",
    files: /^processors\/archives\//,
    local: new RegExp(String.raw`^(processors/archives/|processors/aws\.ts$|${INNER})`),
    packages: /^(node:|@aws-sdk\/client-(s3|firehose|athena)$|@smithy\/node-http-handler$)/,
  },
  {
    name: "country driver",
    files: /^processors\/geo\//,
    local: new RegExp(`^(processors/geo/|${INNER})`),
    packages: /^(node:|mmdb-lib$|@ip-location-db\/)/,
  },
  {
    name: "handlers",
    files: /^processors\/handlers\//,
    local: /^processors\//,
    packages: /^(node:|@smithy\/node-http-handler$)/,
    packageTypes: /^aws-lambda$/,
  },
  {
    name: "other drivers",
    files: /^processors\/[^/]+\.ts$/,
    local: new RegExp(`^(${INNER}|${PORT})`),
    localTypes: /^processors\/pipeline\//, // the shape of the function that the pipeline asks for
    packages: /^node:/,
  },
  {
    name: "builds",
    files: /^(collector|dashboard)\/build\.ts$/,
    local: NOTHING,
    packages: /^(node:|esbuild$)/,
  },
  {
    name: "collector",
    files: /^collector\//,
    local: /^collector\/(?!build\.ts$)/,
    localTypes: /^processors\/model\//,
    packages: NOTHING,
  },
  {
    name: "dashboard",
    files: /^dashboard\//,
    local: /^dashboard\/(?!build\.ts$)/,
    localTypes: /^processors\/model\//,
    packages: /^uplot$/,
  },
  {
    name: "AWS infrastructure",
    files: /^infra\/aws\//,
    local: /^(infra\/(aws\/|[^/]+\.ts$)|processors\/(env|errors)\.ts$|(collector|dashboard)\/build\.ts$)/,
    packages: /^(node:|aws-cdk-lib$|constructs$|cdk-nag$|esbuild$)/,
  },
  {
    name: "local infrastructure",
    files: /^infra\/local\//,
    local:
      /^(infra\/(local\/|[^/]+\.ts$)|processors\/(?!handlers\/)|(collector|dashboard)\/build\.ts$|test\/kit\/)/,
    packages: /^(node:|velocityjs$|commander$|esbuild$)/,
  },
  {
    name: "the API document",
    files: /^infra\/[^/]+\.ts$/,
    local: /^infra\/[^/]+\.ts$/,
    packages: NOTHING,
    isPure: true,
  },
  // Tests may look at everything; what they are made of is theirs.
  { name: "tests", files: /^test\//, local: /^/, packages: /^/ },
];

/** What a pure zone must not name. Dates made from a number are fine; dates made from nothing read the clock. */
const IMPURE: readonly (readonly [RegExp, string])[] = [
  [/\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.|\bTemporal\.Now\b/, "reads a clock"],
  [/\bMath\.random\b|\brandomUUID\b|\bgetRandomValues\b/, "draws random numbers"],
  [/\bprocess\.(?!\.)|\bglobalThis\b/, "reads the process or its environment"],
  [/\bset(Timeout|Interval|Immediate)\b/, "sets a timer"],
  [/\bconsole\.|\bfetch\(/, "does input or output"],
];

interface Import {
  readonly line: number;
  readonly specifier: string;
  readonly isTypeOnly: boolean;
}

// The formatter starts every import statement in the first column, so text inside strings and comments does not match.
const STATEMENT = /^(?:import|export)\s+(type\s+(?!from\b))?(?:([\w$\s{},*]+?)\s+from\s+)?"([^"\n]+)"/gm;
const DYNAMIC = /(typeof\s+)?\bimport\(\s*["']([^"']+)["']/g;

/** Every import of a source text: statements, re-exports, dynamic imports and `typeof import()` types. */
export function importsOf(text: string): Import[] {
  const lineAt = (index: number): number => text.slice(0, index).split("\n").length;
  const found: Import[] = [];
  for (const match of text.matchAll(STATEMENT)) {
    const names = /^\{([^}]*)\}$/.exec(match[2]?.trim() ?? "")?.[1]?.split(",") ?? [];
    const listed = names.map((name) => name.trim()).filter((name) => name !== "");
    const isTypeOnly =
      match[1] !== undefined || (listed.length > 0 && listed.every((name) => name.startsWith("type ")));
    found.push({ line: lineAt(match.index), specifier: match[3]!, isTypeOnly });
  }
  for (const match of code(text).matchAll(DYNAMIC)) {
    found.push({ line: lineAt(match.index), specifier: match[2]!, isTypeOnly: match[1] !== undefined });
  }
  return found;
}

/** The text with whole-line and trailing comments blanked, every character else in its place. */
function code(text: string): string {
  const blank = (comment: string): string => comment.replace(/[^\n]/g, " ");
  return text.replace(/^\s*\/\*[\s\S]*?\*\//gm, blank).replace(/(^|\s)\/\/.*$/gm, blank);
}

const packageName = (specifier: string): string =>
  specifier.startsWith("node:")
    ? "node:"
    : specifier
        .split("/")
        .slice(0, specifier.startsWith("@") ? 2 : 1)
        .join("/");

/** `specifier` seen from `file`, as a repository path. Relative specifiers only. */
function resolve(file: string, specifier: string): string {
  const parts = file.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** Checks all files together: path in the repository -> text. Sorted by file and line; empty when all rules hold. */
export function check(files: ReadonlyMap<string, string>): Violation[] {
  const found: Violation[] = [];
  const graph = new Map<string, Map<string, number>>();
  for (const [file, text] of files) {
    const report = (line: number, rule: string): void => {
      found.push({ file, line, rule });
    };
    const edges = new Map<string, number>();
    graph.set(file, edges);
    checkShape(file, text, report);
    const zone = ZONES.find((candidate) => candidate.files.test(file));
    if (zone === undefined) {
      report(1, "belongs to no part that the rules know");
      continue;
    }
    for (const one of importsOf(text)) {
      if (!one.specifier.startsWith(".")) checkPackage(zone, one, report);
      else {
        const target = resolve(file, one.specifier);
        if (!edges.has(target)) edges.set(target, one.line);
        checkLocal(zone, one, target, report);
      }
    }
    if (zone.isPure) checkPurity(zone, text, report);
  }
  found.push(...cycles(graph));
  return found.sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}

type Report = (line: number, rule: string) => void;

function checkShape(file: string, text: string, report: Report): void {
  const name = file.split("/").at(-1)!;
  if (/^index\.[cm]?[jt]sx?$/.test(name)) report(1, "is a barrel by name: call a file by what it holds");
  if (/^(utils?|helpers?|misc|common)\.ts$/.test(name)) report(1, "has a name that says nothing");
  const body = code(text).trim();
  const isOnlyReexport =
    body.length > 0 &&
    body.split(/;\s*(?:\n|$)/).every((part) => /^(export\s[^;]*from\s|$)/.test(part.trim()));
  if (isOnlyReexport && !PUBLIC_ENTRIES.has(file))
    report(1, "is a barrel: it only passes on what others export");
  if (name.endsWith(".config.ts")) return; // the tool that reads it asks for a default export
  for (const match of text.matchAll(/^export default\b|^export \{[^}]*\bas default\b/gm)) {
    report(text.slice(0, match.index).split("\n").length, "has a default export");
  }
}

/** Files that package.json exports: gathering is their job. */
const PUBLIC_ENTRIES: ReadonlySet<string> = new Set(["test/kit/testing.ts"]);

function checkPackage(zone: Zone, { line, specifier, isTypeOnly }: Import, report: Report): void {
  const name = packageName(specifier);
  if (zone.packages.test(name)) return;
  if (isTypeOnly && zone.packageTypes?.test(name)) return;
  const but = zone.packageTypes?.test(name) ? " other than by `import type`" : "";
  report(line, `${zone.name} must not import ${specifier}${but}`);
}

function checkLocal(zone: Zone, { line, isTypeOnly }: Import, target: string, report: Report): void {
  if (!target.endsWith(".ts") && !target.endsWith(".json"))
    report(line, `${target}: name the file with its ending`);
  if (zone.local.test(target)) return;
  if (isTypeOnly && zone.localTypes?.test(target)) return;
  const but = zone.localTypes?.test(target) ? " other than by `import type`" : "";
  report(line, `${zone.name} must not import ${target}${but}`);
}

function checkPurity(zone: Zone, text: string, report: Report): void {
  for (const [index, line] of code(text).split("\n").entries()) {
    for (const [pattern, what] of IMPURE) {
      if (pattern.test(line)) report(index + 1, `${zone.name} is pure, but this line ${what}`);
    }
  }
}

/** One violation per loop, at the import that closes it. Types count: a loop of types is a loop of ideas. */
function cycles(graph: ReadonlyMap<string, ReadonlyMap<string, number>>): Violation[] {
  const found: Violation[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    path.push(file);
    for (const [target, line] of graph.get(file) ?? []) {
      const start = path.indexOf(target);
      if (start >= 0)
        found.push({ file, line, rule: `closes a cycle: ${[...path.slice(start), target].join(" -> ")}` });
      else if (!done.has(target)) visit(target);
    }
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) if (!done.has(file)) visit(file);
  return found;
}
