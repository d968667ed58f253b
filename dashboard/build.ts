/** Turns the dashboard's sources into the files that any static host serves; knows nothing of who serves them. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";
import { en } from "./i18n/en.ts";
import { ko } from "./i18n/ko.ts";

export interface StaticFile {
  readonly type: string;
  readonly body: Uint8Array;
}

/** The same page for frames of other sites: served under a policy that lets them, and with nothing to press that changes something. */
export const EMBED_PATH = "/embed/";
/** Of all files, so that a server can offer them before they are built. */
export const PATHS: readonly string[] = ["/", EMBED_PATH, "/app.js", "/app.css", "/world.json", "/icon.svg"];

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

/** All files of the dashboard by URL path, "/" being the page itself. Rejects when a source does not compile. */
export async function buildDashboard(): Promise<Map<string, StaticFile>> {
  // With the first build: a server that nobody asks for a page starts without them.
  const [{ build }, { buildWorld }] = await Promise.all([import("esbuild"), import("./world.ts")]);
  const [page, icon, world, bundle] = await Promise.all([
    readFile(here("index.html")),
    readFile(here("icon.svg")),
    buildWorld(),
    build({
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
    }),
  ]);
  const output = (suffix: string): Uint8Array => {
    const file = bundle.outputFiles.find(({ path }) => path.endsWith(suffix));
    if (!file)
      throw new Error(`esbuild wrote no ${suffix}, only ${bundle.outputFiles.map(({ path }) => path)}`);
    return file.contents;
  };
  return new Map([
    ["/", { type: "text/html; charset=utf-8", body: page }],
    [EMBED_PATH, { type: "text/html; charset=utf-8", body: page }],
    ["/app.js", { type: "text/javascript; charset=utf-8", body: output(".js") }],
    ["/app.css", { type: "text/css; charset=utf-8", body: output(".css") }],
    ["/world.json", { type: "application/json", body: new TextEncoder().encode(JSON.stringify(world)) }],
    ["/icon.svg", { type: "image/svg+xml", body: icon }],
  ]);
}
