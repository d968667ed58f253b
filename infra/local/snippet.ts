/** What a site's owner pastes: the script tag, the same with its content pinned, the policy line, and the image for browsers without scripts. */
import type { Command } from "commander";
import { offerCollector } from "../../collector/build.ts";
import { checkSiteId } from "../../processors/pipeline/sites.ts";
import { folderOf } from "../ownpath.ts";
import { escaped, scriptTag } from "../scripttag.ts";
import { origin, ownPath, serverUrl } from "./flags.ts";
import type { Output } from "./terminal.ts";

export interface SnippetOptions {
  readonly site: string;
  /** Origin that serves the collector; no slash at its end. */
  readonly url: string;
  /** Default /c.js. */
  readonly scriptPath?: string;
  /** Default /v1/events. */
  readonly ingestPath?: string;
}

export interface Snippets {
  readonly tag: string;
  readonly pinned: string;
  /** For the header Content-Security-Policy. */
  readonly policy: string;
  readonly pixel: string;
}

/**
 * The lines for one site. Building the collector takes a second, because the pinned tag names its hash. Throws `config`
 * for what can be no site and for what is no address.
 */
export async function snippets({
  site,
  url,
  scriptPath = "/c.js",
  ingestPath,
}: SnippetOptions): Promise<Snippets> {
  checkSiteId(site);
  const { pinned, integrity } = await offerCollector();
  const reportTo = ingestPath && url + ingestPath;
  const { origin } = serverUrl(url);
  return {
    tag: scriptTag({ script: url + scriptPath, site, reportTo }),
    pinned: scriptTag({ script: url + folderOf(scriptPath) + pinned, site, reportTo, integrity }),
    policy: `script-src ${origin}; connect-src ${origin}; img-src ${origin}`,
    pixel: `<noscript><img src="${escaped(`${url}/p.gif?s=${encodeURIComponent(site)}`)}" alt="" width="1" height="1" referrerpolicy="no-referrer-when-downgrade"></noscript>`,
  };
}

/** Adds `snippet` to the program. */
export function addSnippet(program: Command, { print }: Output): void {
  program
    .command("snippet")
    .description("print what to paste into a site's pages")
    .requiredOption("--site <id>", "the site, as registered")
    .option("--url <url>", "where the server is reached from browsers", origin, "http://127.0.0.1:8080")
    .option("--script-path <path>", "as given to start", ownPath)
    .option("--ingest-path <path>", "as given to start", ownPath)
    .action(async (flags: SnippetOptions) => {
      const { tag, pinned, policy, pixel } = await snippets(flags);
      print(`Inside <head> of every page:\n\n  ${tag}\n`);
      print(
        `Or pinned to this version, so that the browser runs no other; paste anew after an upgrade:\n\n  ${pinned}\n`,
      );
      print(`If your pages have a Content-Security-Policy, it needs:\n\n  ${policy}\n`);
      print(`For browsers without scripts, inside <body>:\n\n  ${pixel}`);
    });
}
