/** Holds the documents to the repository: links, anchors, paths, flags, reasons and examples are what they say. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import {
  failAt,
  faultyStore,
  manualClock,
  memoryStore,
  memoryStream,
  Random,
  replay,
  reshard,
} from "rivulet/testing";
import { describe, expect, it } from "vitest";
import { REJECT_REASONS, VITALS } from "../processors/model/event.ts";
import { DIMENSIONS, PLAIN_METRICS, TIME_DIMENSIONS } from "../processors/pipeline/query/request.ts";
import { runHere } from "./kit/command.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PAGES = globSync(["*.md", "docs/**/*.md"], { cwd: ROOT }).sort();
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```/gm, "");

/** Anchors of a page's headings, as GitHub makes them. */
function anchorsOf(text: string): string[] {
  const headings = withoutCode(text).matchAll(/^#{1,6} +(.+?) *$/gm);
  return [...headings].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-"),
  );
}

/** Targets of links and pictures that lie in this repository. */
function relativeLinks(text: string): string[] {
  const targets = [
    ...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g),
    ...text.matchAll(/\b(?:src|srcset|href)="([^"]+)"/g),
  ].map(([, target = ""]) => target);
  return [...new Set(targets)].filter((target) => !/^[a-z]+:|^\//.test(target));
}

const FOLDERS = "infra|collector|processors|dashboard|test|docs|\\.ci";
/** Paths of files and folders that a page names as code. */
const namedPaths = (text: string): string[] =>
  [...withoutCode(text).matchAll(new RegExp(`\`((?:${FOLDERS})/[\\w./-]*\\w)(?:\\.\\w+\\(\\))?\``, "g"))].map(
    ([, path = ""]) => path,
  );

/** First cells of the table rows under the heading or header line that matches. */
function firstCells(text: string, header: string): string[] {
  const lines = text.slice(text.indexOf(header)).split("\n").slice(2);
  const end = lines.findIndex((line) => !line.startsWith("|"));
  return lines.slice(0, end < 0 ? undefined : end).map((line) => line.split("|")[1]?.trim() ?? "");
}
const codes = (cells: readonly string[]): string[] =>
  cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code));

describe.each(PAGES)("%s", (page) => {
  const text = read(page);

  it("links only to files and headings that exist", () => {
    const broken = relativeLinks(text).filter((link) => {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : normalize(join(dirname(page), decodeURIComponent(path)));
      if (!existsSync(join(ROOT, target))) return true;
      return anchor !== undefined && !anchorsOf(read(target)).includes(decodeURIComponent(anchor));
    });
    expect(broken).toEqual([]);
  });

  it("names only npm scripts that exist", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const named = [...text.matchAll(/\bnpm (?:run (?=[a-z])|(?=start\b|test\b))([a-z]+)/g)].map(
      ([, name = ""]) => name,
    );
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it("names only code that exists", () => {
    expect(namedPaths(text).filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});

it("reaches every page from the README", () => {
  const reached = new Set<string>();
  const follow = (page: string): void => {
    if (reached.has(page) || !PAGES.includes(page)) return;
    reached.add(page);
    for (const link of relativeLinks(read(page))) {
      const target = relative(".", join(dirname(page), link.split("#")[0] ?? ""));
      follow(target);
      // A link to a folder reaches what is in it.
      for (const inside of PAGES) if (dirname(inside) === target) follow(inside);
    }
  };
  follow("README.md");
  expect(PAGES.filter((page) => !reached.has(page))).toEqual([]);
});

it("numbers decision records without gaps, and gives each the same parts", () => {
  const records = PAGES.filter((page) => page.startsWith("docs/decisions/"));
  for (const [index, page] of records.entries()) {
    const number = index + 1;
    expect(page).toMatch(new RegExp(`/${String(number).padStart(4, "0")}-[a-z0-9-]+\\.md$`));
    const text = read(page);
    expect(text, page).toMatch(new RegExp(`^# ${number}\\. .+\\n\\n\\*\\*Status:\\*\\* accepted\\n`));
    const titles = [...withoutCode(text).matchAll(/^## (.+)$/gm)].map(([, title]) => title);
    expect(
      titles.filter((title) => ["Context", "Decision", "Consequences"].includes(title ?? "")),
      page,
    ).toEqual(["Context", "Decision", "Consequences"]);
  }
});

/** Options of a command, by its own help: `--name <value>`. */
async function flagsOf(command: string): Promise<string[]> {
  const { output } = await runHere([command, "--help"]);
  return [...output.matchAll(/^ {2}(--\S+(?: <[^>]+>)?)/gm)].map(([, flag = ""]) => flag).sort();
}

it.each([
  { page: "README.md", header: "| flag | default | meaning |", command: "start" },
  { page: "README.md", header: "| flag | default | meaning |", command: "demo" },
  { page: "docs/README.ko.md", header: "| 옵션 | 기본값 | 뜻 |", command: "start" },
  { page: "docs/replay.md", header: "| flag | default | meaning |", command: "replay" },
])("$page lists the flags of `rivulet $command`", async ({ page, header, command }) => {
  expect(codes(firstCells(read(page), header)).sort()).toEqual(await flagsOf(command));
});

it("lists exactly the reasons for refusal that there are", () => {
  expect(codes(firstCells(read("README.md"), "| reason | what was wrong |"))).toEqual([...REJECT_REASONS]);
});

it("defines exactly the metrics and dimensions that there are", () => {
  const page = read("docs/query.md");
  expect(codes(firstCells(page, "| metric | definition | unit |")).sort()).toEqual(
    [...PLAIN_METRICS, ...VITALS.flatMap((name) => [`${name}_p75`, `${name}_p95`])].sort(),
  );
  expect(codes(firstCells(page, "| dimension | value |")).sort()).toEqual(
    [...TIME_DIMENSIONS, ...DIMENSIONS, "event:props:KEY"].sort(),
  );
});

it.each(["README.md", "docs/replay.md"])("%s shows the example that is run as a test", (page) => {
  expect(read(page)).toContain(`\`\`\`ts\n${read("test/kit/example.test.ts")}\`\`\``);
});

it("docs/replay.md shows a line of a recording that counts as a page view", async () => {
  const [, line = ""] = /```json\n(.+)\n```/.exec(read("docs/replay.md")) ?? [];
  const replayed = await replay([JSON.parse(line)]);
  const { results } = await replayed.query({
    site_id: "demo",
    metrics: ["pageviews"],
    date_range: ["2026-01-05", "2026-01-05"],
  });
  expect(results).toEqual([{ metrics: [1], dimensions: [] }]);
});

it("docs/replay.md names parts that the test kit itself can put together", async () => {
  const clock = manualClock();
  const stream = memoryStream({ clock });
  await reshard(stream, new Random(1));
  expect(await stream.shards()).toHaveLength(3);
  await expect(faultyStore(memoryStore({ clock }), failAt(1)).get({ pk: "p", sk: "s" })).rejects.toThrow();
});
