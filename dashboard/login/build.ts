/** Turns the sign-in page's sources into the files that a host with users serves beside the dashboard. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** By URL path; a host adds config.json with its user pool. */
export const LOGIN_PATH = "/login/";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** The page and its script by URL path. Rejects when a source does not compile. */
export async function buildLogin(): Promise<Map<string, { readonly body: Uint8Array }>> {
  const [page, { outputFiles }] = await Promise.all([
    readFile(here("index.html")),
    build({
      entryPoints: [here("login.ts")],
      bundle: true,
      write: false,
      minify: true,
      format: "esm",
      target: "es2022",
      charset: "utf8",
    }),
  ]);
  return new Map([
    [LOGIN_PATH, { body: page }],
    [`${LOGIN_PATH}login.js`, { body: outputFiles[0]!.contents }],
  ]);
}
