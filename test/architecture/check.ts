/** Reads source text and tells where it breaks the rules of zones.ts. Knows no disk. */
import { IMPURE, PUBLIC_ENTRIES, ZONES, type Zone } from "./zones.ts";

export interface Violation {
  readonly file: string;
  /** 1 is the first line. */
  readonly line: number;
  readonly rule: string;
}

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
