/** What a person needs when the server has started: where the dashboard is, how to get in, and what to paste. */
import { networkInterfaces } from "node:os";
import { DAY_MS } from "../../processors/model/time.ts";
import { createGrant, type GrantDeps, listGrants } from "../../processors/pipeline/access.ts";
import type { OwnPaths } from "../ownpath.ts";
import { scriptTag } from "../scripttag.ts";
import { shareUrl } from "./shareurl.ts";

export interface Greeted extends OwnPaths {
  /** Where browsers reach it. */
  readonly url: string;
  /** Where it listens, for a proxy; undefined where that is the same. */
  readonly behind: string | undefined;
  /** Ids; the first is shown. */
  readonly sites: readonly string[];
  readonly isKeyRequired: boolean;
  readonly grants: GrantDeps;
  /** The flags by which another command finds the same data. */
  readonly dataFlags: string;
}

/** What the pages of the demo shop name. */
const DEMO_SITE = "demo";
/** Long enough to look around and to make a link of one's own; whoever finds it in a log later finds nothing. */
const FIRST_LINK_MS = DAY_MS;

/**
 * Lines to print. Where readers need a key and nobody has one for the first site, they hold a share link that is made now:
 * whoever starts the server gets in by it, and nobody else.
 */
export async function greeting({
  url,
  behind,
  sites,
  isKeyRequired,
  grants,
  dataFlags,
  scriptPath = "/c.js",
  ingestPath,
}: Greeted): Promise<string[]> {
  const site = sites[0] ?? DEMO_SITE;
  const link = isKeyRequired ? await firstLink(grants, url, site) : undefined;
  const more = `npx rivulet share add --site ${site} --url ${url}${dataFlags}`;
  return [
    "",
    `  Rivulet is counting ${sites.join(", ")}`,
    "",
    `  Dashboard  ${link ?? `${url}/?site=${encodeURIComponent(site)}`}`,
    ...(link
      ? ["             Nobody gets in without a link or a key. This one works for a day. To make another:"]
      : []),
    ...(isKeyRequired && !link ? ["             Nobody gets in without a link or a key. Make a link:"] : []),
    ...(isKeyRequired ? [`             ${more}`] : []),
    ...(behind === undefined ? [] : [`  Proxy to   ${behind}/`]),
    // Its pages report to that site and no other.
    ...(sites.includes(DEMO_SITE) ? [`  Demo shop  ${url}/demo/`] : []),
    "",
    "  Paste this into every page, inside <head>:",
    "",
    `    ${scriptTag({ script: url + scriptPath, site, reportTo: ingestPath && url + ingestPath })}`,
    "",
    "  Ctrl-C stops it.",
    "",
  ];
}

async function firstLink(grants: GrantDeps, url: string, site: string): Promise<string | undefined> {
  const held = await listGrants(grants, site);
  if (held.some(({ kind }) => kind !== "session")) return undefined;
  const wanted = { kind: "share", site, lifeMs: FIRST_LINK_MS, label: "printed at a start" } as const;
  const { token } = await createGrant(grants, wanted);
  return shareUrl(url, site, token);
}

/** An address by which others reach a server that listens on all of this machine's; any other is as it is. */
export function reachable(host: string): string {
  if (host !== "0.0.0.0" && host !== "::") return host;
  const all = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  return all.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
}
