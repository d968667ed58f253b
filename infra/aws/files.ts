/** Builds what the site serves. Apart from the constructs, because building waits and a construct cannot. */
import { buildCollector } from "../../collector/build.ts";
import { buildDashboard } from "../../dashboard/build.ts";
import type { SiteFiles } from "./site.ts";

/** Dashboard, collector and demo by URL path. */
export async function siteFiles(): Promise<SiteFiles> {
  const [pages, collector] = await Promise.all([buildDashboard(), buildCollector()]);
  const files = new Map<string, { body: Uint8Array }>(pages);
  files.set("/c.js", { body: new TextEncoder().encode(collector.code) });
  return files;
}
