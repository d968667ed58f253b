/** Builds what the site serves. Apart from the constructs, because building waits and a construct cannot. */
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { buildCollector } from "../../collector/build.ts";
import { buildDashboard } from "../../dashboard/build.ts";
import type { SiteFiles } from "./site.ts";

const DEMO = fileURLToPath(new URL("../../dashboard/demo", import.meta.url));

/** Dashboard and collector by URL path, and the demo shop, which reports to the site `demo`, if it is asked for. */
export async function siteFiles({ demo }: { readonly demo: boolean }): Promise<SiteFiles> {
  const [pages, { code }, shop] = await Promise.all([
    buildDashboard(),
    buildCollector(),
    demo ? folder(DEMO, "/demo/") : new Map(),
  ]);
  const collector = { body: new TextEncoder().encode(code) };
  return new Map<string, { body: Uint8Array }>([...pages, ["/c.js", collector], ...shop]);
}

async function folder(root: string, at: string): Promise<SiteFiles> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  return new Map(
    await Promise.all(
      paths.map(async (path) => [at + relative(root, path), { body: await readFile(path) }] as const),
    ),
  );
}
