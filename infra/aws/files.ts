/** Builds what the site serves. Apart from the constructs, because building waits and a construct cannot. */
import { execFileSync } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { COLLECTOR_FILES, offerCollector } from "../../collector/build.ts";
import { buildDashboard } from "../../dashboard/build.ts";
import { buildLogin } from "../../dashboard/login/build.ts";
import { apiDocument } from "../api.ts";
import { DOCUMENT_PATH, publishedDocument } from "../published.ts";
import type { SiteFiles } from "./site.ts";

const here = fileURLToPath(import.meta.url);
const DEMO = fileURLToPath(new URL("../../dashboard/demo", import.meta.url));

export interface SiteParts {
  /** The demo shop, which reports to the site `demo`. */
  readonly demo: boolean;
  /** The page that signs people in. */
  readonly login: boolean;
}

/** Dashboard, collector and API document by URL path, and the parts that are asked for. */
export async function siteFiles({ demo, login }: SiteParts): Promise<SiteFiles> {
  const [pages, collector, shop, signIn] = await Promise.all([
    buildDashboard(),
    collectorFiles(),
    demo ? folder(DEMO, "/demo/") : new Map(),
    login ? buildLogin() : new Map(),
  ]);
  return new Map<string, { body: Uint8Array }>([
    ...pages,
    ...collector,
    ...shop,
    ...signIn,
    [DOCUMENT_PATH, document()],
  ]);
}

/** The same for a constructor, which cannot wait: another process makes them, within some seconds. Throws what it said. */
export function builtSiteFiles(parts: SiteParts): SiteFiles {
  const output = execFileSync(process.execPath, [here, JSON.stringify(parts)], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  return new Map(
    (JSON.parse(output) as [string, string][]).map(([path, base64]) => [
      path,
      { body: Buffer.from(base64, "base64") },
    ]),
  );
}

/** What readers learn of the API names no resource, so it is the same in every account. */
function document(): { body: Uint8Array } {
  const deployed = apiDocument({
    partition: "aws",
    region: "",
    streamName: "",
    ingestRoleArn: "",
    queryFunctionArn: "",
    clientAddress: { from: "connection" },
  });
  return { body: new TextEncoder().encode(JSON.stringify(publishedDocument(deployed))) };
}

/** Each file under its name, and under its content's; and all beside those, where a pinned core looks for its chunks. */
async function collectorFiles(): Promise<SiteFiles> {
  const offered = await Promise.all(COLLECTOR_FILES.map((file) => offerCollector(file)));
  return new Map(
    offered.flatMap(({ name, pinned, code }) => {
      const file = { body: new TextEncoder().encode(code) };
      return [`/${name}`, `/${pinned}`, `/c/${name}`].map((path) => [path, file] as const);
    }),
  );
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

if (process.argv[1] === here) {
  // Without a top-level await, so that CommonJS apps can load this too.
  void siteFiles(JSON.parse(process.argv[2]!)).then((files) => {
    const encoded = [...files].map(([path, { body }]) => [path, Buffer.from(body).toString("base64")]);
    process.stdout.write(JSON.stringify(encoded));
  });
}
