/** The package `rivulet/collector`: as a bundler sees it, on a server, and in a page. */
import { readFile } from "node:fs/promises";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildCollector } from "../../collector/build.ts";
import { type Browser, closePages, type Page, sharedBrowser } from "../kit/browser.ts";
import { page, type Receiver, startReceiver } from "./receiver.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await sharedBrowser();
});
afterAll(() => closePages(browser));

/** As a site's own bundler sees the package. */
async function bundle(code: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: import.meta.dirname },
    bundle: true,
    format: "iife",
    minify: true,
    write: false,
  });
  return outputFiles[0]!.text;
}

/** Opens a page that has this script, and the tag of another product, if any, and closes all that it took. */
async function inPage(
  { code, tag = "", at = "/" }: { readonly code: string; readonly tag?: string; readonly at?: string },
  work: (tab: Page, receiver: Receiver) => Promise<void>,
): Promise<void> {
  const collector = await buildCollector();
  const receiver = await startReceiver({ collector: collector.code });
  const context = await browser.newContext();
  try {
    receiver.pages.set("/", page(`<script>${await bundle(code)}</script>`, { tag }));
    const tab = await context.newPage();
    await tab.goto(receiver.origin + at);
    await work(tab, receiver);
  } finally {
    await context.close();
    await receiver.close();
  }
}

it("does nothing on a server, neither when imported nor when called", async () => {
  const before = Object.keys(globalThis);
  const { consent, init, page: view, track } = await import("rivulet/collector");
  init({ site: "example.com", url: "https://stats.example.com" });
  track("signup", { props: { plan: "pro" } });
  view("/step-2");
  consent(true);
  expect(Object.keys(globalThis)).toEqual(before);
});

it("masks by the very pattern that the collector has", async () => {
  const [packaged, built] = await Promise.all(
    ["npm.js", "page.ts"].map(async (file) => {
      const code = await readFile(new URL(`../../collector/${file}`, import.meta.url), "utf8");
      return /^const SECRET = .+$/m.exec(code)?.[0];
    }),
  );
  expect(packaged).toBeDefined();
  expect(packaged).toBe(built);
});

it("lets a bundler leave out what is not used", async () => {
  const whole = await bundle(`export * from "rivulet/collector"`);
  const one = await bundle(`import { consent } from "rivulet/collector"; consent(true)`);
  expect(whole).toContain("createElement");
  expect(one).not.toContain("createElement");
  expect(await bundle(`import { track } from "rivulet/collector"`)).toBe(await bundle(""));
  expect(Buffer.byteLength(whole)).toBeLessThan(1_500);
});

it("counts the page, events from before and after loading, and pages that the address does not show", async () => {
  const code = `
    import { init, page, track } from "rivulet/collector";
    track("early", { props: { a: 1 } });
    const options = { site: "shop.example", url: location.origin, params: ["q"],
      before: (event) => ({ ...event, p: { ...event.p, seen: true } }) };
    init(options);
    init(options);
    window.later = () => { page("/step-2/9f86d081884c7d659a2f?secret=1"); track("late"); };`;
  await inPage({ code, at: "/?q=lamp" }, async (tab, receiver) => {
    await receiver.until("the first events", () => receiver.names().includes("early"));
    await tab.evaluate("later()");
    await receiver.until("the last event", () => receiver.names().includes("late"));
    expect(receiver.counted()).toMatchObject([
      { n: "pageview", p: { q: "lamp", seen: true }, page: `${receiver.origin}/` },
      { n: "early", p: { a: 1, seen: true } },
      { n: "pageview", page: `${receiver.origin}/step-2/*` },
      { n: "late" },
    ]);
  });
});

it("loads beside a tag of another product that has a data-site too", async () => {
  const code = `
    import { init } from "rivulet/collector";
    init({ site: "shop.example", url: location.origin });`;
  const tag = '<script data-site="THEIRS" type="text/plain"></script>';
  await inPage({ code, tag }, async (_, receiver) => {
    await receiver.until("the page view", () => receiver.names().length === 1);
  });
});

it("keeps a refusal from before loading", async () => {
  const code = `
    import { consent, init } from "rivulet/collector";
    consent(false);
    init({ site: "shop.example", url: location.origin });
    window.agree = () => consent(true);`;
  await inPage({ code }, async (tab, receiver) => {
    await tab.waitForLoadState("networkidle");
    expect(receiver.attempts).toEqual([]);
    await tab.evaluate("agree()");
    await receiver.until("the page view", () => receiver.names().length === 1);
  });
});

it.each([
  { when: "before", calls: "consent(false); init(options);" },
  { when: "right after", calls: "init(options); consent(false);" },
])(
  "keeps a refusal from $when init for as long as the page lives where nothing can be stored",
  async ({ calls }) => {
    const code = `
    import { consent, init } from "rivulet/collector";
    const options = { site: "shop.example", url: location.origin };
    ${calls}
    window.agree = () => consent(true);`;
    const tag = `<script>
    Object.defineProperty(window, "localStorage", { get() { throw new DOMException("no", "SecurityError"); } });
  </script>`;
    await inPage({ code, tag }, async (tab, receiver) => {
      await tab.waitForLoadState("networkidle");
      await tab.waitForTimeout(1_500);
      expect(receiver.attempts).toEqual([]);
      await tab.evaluate("agree()");
      await receiver.until("the page view", () => receiver.names().length === 1);
    });
  },
);

it("loads where a policy asks for trusted types and allows ours, and fails no page that does not", async () => {
  const code = `
    import { init } from "rivulet/collector";
    init({ site: "shop.example", url: location.origin });
    window.isUnharmed = true;`;
  const policy = (names: string): string =>
    `<meta http-equiv="Content-Security-Policy" content="require-trusted-types-for 'script'; trusted-types ${names}">`;
  await inPage({ code, tag: policy("rivulet") }, async (_, receiver) => {
    await receiver.until("the page view", () => receiver.names().length === 1);
  });
  await inPage({ code, tag: policy("theirs") }, async (tab) => {
    expect(await tab.evaluate("isUnharmed")).toBe(true);
  });
});

it("counts for the first that was named, though another's script comes sooner", async () => {
  const code = `
    import { init } from "rivulet/collector";
    init({ site: "first.example", url: location.origin, script: "/slow/c.js" });
    init({ site: "second.example", url: location.origin });`;
  const { code: script } = await buildCollector();
  await inPage({ code: "", tag: "" }, async (tab, receiver) => {
    receiver.pages.set("/both", page(`<script>${await bundle(code)}</script>`, { tag: "" }));
    await tab.route("**/slow/c.js", async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      await route.fulfill({ body: script, contentType: "text/javascript" });
    });
    await tab.goto(`${receiver.origin}/both`);
    await receiver.until("the page view", () => receiver.names().length === 1);
    expect(receiver.attempts[0]!.batch.s).toBe("first.example");
  });
});
