/**
 * The back/forward cache and prerendering, for real. The headless shell of the other tests prerenders, but has no such
 * cache; for that one takes a whole Chromium: `RIVULET_CHROMIUM=/usr/bin/chromium`. Nobody drives the browser, because
 * tools that do switch both off: the pages go on by themselves.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { buildCollector } from "../../collector/build.ts";
import { browserCommand } from "../kit/browser.ts";
import { page, type Receiver, startReceiver } from "./receiver.ts";

const chromium = process.env.RIVULET_CHROMIUM;
const why = chromium ? "" : " (skipped: RIVULET_CHROMIUM names no Chromium)";
// The shell that comes with the tests is built without the cache, so nothing could be seen of it.
const unless = it.skipIf(!chromium);

/** Opens `path` in a browser of its own, until `done`. */
async function browse(
  pages: Readonly<Record<string, string>>,
  path: string,
  done: (receiver: Receiver) => Promise<void>,
) {
  const { code } = await buildCollector();
  const receiver = await startReceiver({ collector: code });
  for (const [name, html] of Object.entries(pages)) receiver.pages.set(name, html);
  const profile = await mkdtemp(join(tmpdir(), "rivulet-profile-"));
  const { path: shell, env } = await browserCommand();
  const browser = spawn(
    chromium ?? shell,
    [
      "--headless=new",
      "--no-sandbox",
      "--no-first-run",
      "--disable-gpu",
      `--user-data-dir=${profile}`,
      receiver.origin + path,
    ],
    // A group of its own, so that all its processes can be ended.
    { stdio: "ignore", detached: true, ...(chromium ? {} : { env }) },
  );
  const ended = once(browser, "close");
  try {
    await done(receiver);
  } finally {
    process.kill(-browser.pid!, "SIGKILL");
    await ended;
    await receiver.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

const LIMIT_MS = 40_000;
/** Long enough for a report to leave; a page whose request is under way may not be kept. */
const SOON_MS = 1_500;
const shown = (receiver: Receiver): string[] =>
  receiver
    .counted()
    .filter(({ n }) => n === "pageview")
    .map(({ page }) => new URL(page).pathname);
const count = (receiver: Receiver, name: string) => receiver.names().filter((n) => n === name).length;

unless(`counts a page once each time the back/forward cache shows it${why}`, async () => {
  const step = (first: string, again: string) =>
    `<script>addEventListener("pageshow", ({ persisted }) => {
      if (persisted) rivulet("persisted");
      setTimeout(() => persisted ? ${again} : ${first}, ${SOON_MS});
    })</script>`;
  await browse(
    {
      "/a": page(step(`location.href = "/b"`, "history.forward()")),
      "/b": page(step("history.back()", "0")),
    },
    "/a",
    async (receiver) => {
      await receiver.until("two returns", () => count(receiver, "persisted") === 2, LIMIT_MS);
      expect(shown(receiver)).toEqual(["/a", "/b", "/a", "/b"]);
    },
  );
});

it("counts a prerendered page when it is shown, and never if it is not", async () => {
  // Said past the collector, so that the test sees what was made ready unseen.
  const confess = (name: string) => `<script>if (document.prerendering) {
    fetch("/said", { method: "POST", body: JSON.stringify({ b: "${name}", e: [{ n: "prerendered ${name}" }] }) });
    addEventListener("load", () => rivulet("${name}"));
  }</script>`;
  const rules = { prerender: [{ urls: ["/shown", "/never"], eagerness: "immediate" }] };
  await browse(
    {
      "/start": page(`<script type="speculationrules">${JSON.stringify(rules)}</script>
        <script>setInterval(async () => { if ((await fetch("/ready")).ok) location.href = "/shown" }, 200)</script>`),
      "/shown": page("", { head: confess("shown") }),
      "/never": page("", { head: confess("never") }),
    },
    "/start",
    async (receiver) => {
      // They may be ready before the page that asks for them has reported itself.
      const isReady = (name: string) => count(receiver, `prerendered ${name}`) === 1;
      await receiver.until(
        "the first page's view, and both others made ready",
        () => isReady("shown") && isReady("never") && shown(receiver).length > 0,
        LIMIT_MS,
      );
      expect(shown(receiver)).toEqual(["/start"]);
      receiver.pages.set("/ready", "");
      await receiver.until(
        "the view and the event of the page now shown",
        () => count(receiver, "shown") === 1 && shown(receiver).length > 1,
        LIMIT_MS,
      );
      expect(shown(receiver)).toEqual(["/start", "/shown"]);
      expect(count(receiver, "never")).toBe(0);
    },
  );
});
