/** What released collectors send, and what the lite build does, in Chromium. */
import { readdir, readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildCollector } from "../../collector/build.ts";
import { decodeRivulet } from "../../processors/pipeline/decode/rivulet.ts";
import { type Browser, closePages, sharedBrowser } from "../kit/browser.ts";
import { page, type Receiver, startReceiver } from "./receiver.ts";

/** Built files as they were released. Pages keep them for as long as caches and pinned tags do, so they are never edited. */
const RELEASED = new URL("../fixtures/collector/", import.meta.url);

let browser: Browser;
beforeAll(async () => {
  browser = await sharedBrowser();
});
afterAll(() => closePages(browser));

const use = async (
  code: string,
  visit: (receiver: Receiver, run: (script: string) => Promise<unknown>) => Promise<void>,
) => {
  const receiver = await startReceiver({ collector: code });
  const context = await browser.newContext({ locale: "en-US" });
  try {
    const tab = await context.newPage();
    const problems: string[] = [];
    tab.on("pageerror", (error) => problems.push(error.message));
    receiver.pages.set("/", page("<h1>t</h1>"));
    await tab.goto(`${receiver.origin}/?utm_source=news`);
    await visit(receiver, (script) => tab.evaluate(script));
    expect(problems).toEqual([]);
  } finally {
    await context.close();
    await receiver.close();
  }
};

it.each(await readdir(RELEASED))("reads all that %s sends", async (file) => {
  await use(await readFile(new URL(file, RELEASED), "utf8"), async (receiver, run) => {
    await receiver.until("the first page view", () => receiver.names().length === 1);
    await run(`history.pushState({}, "", "/a");
      rivulet("paid", { props: { plan: "pro" }, revenue: { amount: "12.50", currency: "USD" }, interactive: false });
      dispatchEvent(new Event("pagehide"))`);
    await receiver.until("all events", () => receiver.names().includes("paid"));
    const decoded = receiver.attempts.map(({ batch }) => decodeRivulet(batch, Date.now()));
    const batches = decoded.flatMap((one) => ("reason" in one ? expect.unreachable(one.message) : one));
    expect(batches.flatMap(({ rejects }) => rejects)).toEqual([]);
    expect(batches.flatMap(({ events }) => events).filter(({ name }) => name !== "engagement")).toMatchObject(
      [
        {
          name: "pageview",
          url: { path: "/", query: { utm_source: "news" } },
          referrer: "",
          interactive: true,
        },
        { name: "pageview", url: { path: "/a" }, referrer: `${receiver.origin}/?utm_source=news` },
        {
          name: "paid",
          props: [["plan", "pro"]],
          revenue: { currency: "USD", minor: 1_250 },
          interactive: false,
        },
      ],
    );
    for (const { id, screenWidth, language } of batches)
      expect([id.length > 20, screenWidth > 0, language]).toEqual([true, true, "en-US"]);
  });
});

it("sends page views, navigations and events with the lite build, again after a failure, under the same ids", async () => {
  const { code } = await buildCollector("lite.js");
  await use(code, async (receiver, run) => {
    await receiver.until("the first page view", () => receiver.names().length === 1);
    receiver.answers.push(503, "drop");
    await run(`history.pushState({}, "", "/a"); rivulet("paid", { props: { plan: "pro" } })`);
    await receiver.until("all events again", () => receiver.attempts.length === 5);
    const again = receiver.attempts.map(({ batch }) => batch.b);
    expect(new Set(again).size).toBe(3);
    expect([...receiver.names()].sort()).toEqual(["pageview", "pageview", "paid"]);
    const decoded = receiver.attempts.map(({ batch }) => decodeRivulet(batch, Date.now()));
    expect(decoded.every((one) => !("reason" in one) && one[0]!.rejects.length === 0)).toBe(true);
  });
});

it("sends nothing again after the visitor's no in the lite build", async () => {
  const { code } = await buildCollector("lite.js");
  await use(code, async (receiver, run) => {
    await receiver.until("the page view", () => receiver.names().length === 1);
    receiver.answers.push(503);
    // Until the next attempt would be due.
    await run(`new Promise((resolve) => {
      setTimeout = (again, _, ...given) => resolve(window.again = () => again(...given));
      rivulet("mine");
    })`);
    await run("rivulet.consent(false); again()");
    expect(receiver.attempts).toHaveLength(2);
  });
});

it("stops with the visitor's no in the lite build also where there is no room to keep it", async () => {
  const { code } = await buildCollector("lite.js");
  await use(code, async (receiver, run) => {
    await receiver.until("the page view", () => receiver.names().length === 1);
    await run(`for (let size = 1 << 22; size >= 1; size >>= 1)
      try { for (;;) localStorage["fill" + Math.random()] = "x".repeat(size) } catch {}`);
    await run(
      `rivulet.consent(false); rivulet("refused"); fetch("/v1/events", { method: "POST", body: '{"e":[]}' })`,
    );
    await receiver.until("what was sent after it", () => receiver.attempts.length > 1);
    expect(receiver.names()).toEqual(["pageview"]);
  });
});

it("stops and begins again with the visitor's word in the lite build", async () => {
  const { code } = await buildCollector("lite.js");
  await use(code, async (receiver, run) => {
    await receiver.until("the page view", () => receiver.names().length === 1);
    await run(
      `rivulet.consent(false); rivulet("refused"); history.pushState({}, "", "/a"); rivulet.consent(true); rivulet("agreed")`,
    );
    await receiver.until("the event", () => receiver.names().includes("agreed"));
    expect(receiver.names()).toEqual(["pageview", "pageview", "agreed"]);
  });
});
