/** Turns the dashboard's sources into the files that any static host serves; knows nothing of who serves them. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { OutputFile, Plugin } from "esbuild";
import { en } from "./i18n/en.ts";
import { ko } from "./i18n/ko.ts";

export interface StaticFile {
  readonly type: string;
  readonly body: Uint8Array;
}

/** The same page for frames of other sites: served under a policy that lets them, and with nothing to press that changes something. */
export const EMBED_PATH = "/embed/";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Other languages have exactly the keys of English, and go out without repeating them. */
const keysOnce: Plugin = {
  name: "keys once",
  setup({ onLoad }) {
    onLoad({ filter: /i18n.ko\.ts$/ }, () => ({
      contents: `import { en } from "./en.ts";
        const words = ${JSON.stringify(Object.keys(en).map((key) => ko[key as keyof typeof en]))};
        export const ko = Object.fromEntries(Object.keys(en).map((key, i) => [key, words[i]]));`,
      resolveDir: here("i18n"),
    }));
  },
};

const file = (type: string, make: () => Promise<Uint8Array>): (() => Promise<StaticFile>) => {
  let made: Promise<StaticFile> | undefined;
  return () => {
    made ??= make().then((body) => ({ type, body }));
    return made;
  };
};

/**
 * How to make each file of the dashboard by its URL path, "/" being the page itself. Each is made when it is first asked
 * for, so that nobody waits for the map of the world to see the page. Making one rejects when a source does not compile.
 */
export function dashboardFiles(): ReadonlyMap<string, () => Promise<StaticFile>> {
  let bundled: Promise<readonly OutputFile[]> | undefined;
  const bundling = (): Promise<readonly OutputFile[]> => {
    bundled ??= bundle();
    return bundled;
  };
  const output = async (suffix: string): Promise<Uint8Array> => {
    const files = await bundling();
    const found = files.find(({ path }) => path.endsWith(suffix));
    if (!found) throw new Error(`esbuild wrote no ${suffix}, only ${files.map(({ path }) => path)}`);
    return found.contents;
  };
  const page = file("text/html; charset=utf-8", async () => {
    // Who gets the page asks for its script at once. What goes wrong is told there.
    bundling().catch(() => {});
    // It goes out under two paths; no line of it ends within text or between attributes.
    return new TextEncoder().encode((await readFile(here("index.html"), "utf8")).replace(/\n */g, ""));
  });
  return new Map([
    ["/", page],
    [EMBED_PATH, page],
    ["/app.js", file("text/javascript; charset=utf-8", () => output(".js"))],
    ["/app.css", file("text/css; charset=utf-8", () => output(".css"))],
    ["/world.json", file("application/json", world)],
    ["/icon.svg", file("image/svg+xml", () => readFile(here("icon.svg")))],
  ]);
}

/** All of them. */
export async function buildDashboard(): Promise<Map<string, StaticFile>> {
  return new Map(
    await Promise.all([...dashboardFiles()].map(async ([path, make]) => [path, await make()] as const)),
  );
}

// What both need is loaded with the first build: a server that nobody asks for a page starts without.

async function bundle(): Promise<readonly OutputFile[]> {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: { app: here("main.ts"), style: here("style.css") },
    outdir: "/",
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    plugins: [keysOnce],
  });
  return outputFiles;
}

async function world(): Promise<Uint8Array> {
  const { buildWorld } = await import("./world.ts");
  return new TextEncoder().encode(JSON.stringify(await buildWorld()));
}
