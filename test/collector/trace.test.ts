/** What the collector makes a browser do, out of the browser's own trace: no layout, no long task. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildCollector } from "../../collector/build.ts";
import { type Browser, closePages, sharedBrowser } from "../kit/browser.ts";
import { heavyPage } from "./heavy.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { costOf } from "./trace.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await sharedBrowser();
});
afterAll(() => closePages(browser));

/** Everything a visitor does, on a phone: only there does a browser lay out before it tells the viewport's width. */
const visit = async (receiver: Receiver, collector: string) => {
  receiver.pages.set("/", heavyPage());
  receiver.pages.set("/next", heavyPage());
  const context = await browser.newContext({
    viewport: { width: 390, height: 800 },
    isMobile: true,
    hasTouch: true,
  });
  try {
    const tab = await context.newPage();
    return await costOf(browser, tab, `${receiver.origin}/c.js`, async () => {
      await tab.goto(`${receiver.origin}/`);
      await receiver.until("the page view", () => receiver.names().length > 0);
      for (const id of ["#plain", "#marked", "#out"]) await tab.click(id);
      await tab.mouse.wheel(0, 2_000);
      await tab.keyboard.press("a");
      await tab.evaluate(
        `history.pushState({}, "", "/spa"); new Promise((done) => requestAnimationFrame(() => setTimeout(done)))`,
      );
      await tab.goto(`${receiver.origin}/next`);
      if (collector.includes("engagement"))
        await receiver.until("the engagement", () => receiver.names().includes("engagement"));
    });
  } finally {
    await context.close();
  }
};

it.each(["c.js", "lite.js"] as const)(
  "%s never makes the browser lay out, and never runs long",
  async (file) => {
    const { code } = await buildCollector(file);
    const receiver = await startReceiver({ collector: code });
    try {
      const { entries, reflows, longTasks } = await visit(receiver, code);
      expect(entries).toBeGreaterThan(file === "c.js" ? 10 : 3);
      expect(reflows).toEqual([]);
      // A long task may be the page's own; our part of it is the question, with room for a busy machine.
      expect(longTasks.filter(({ ownMs }) => ownMs > 50)).toEqual([]);
    } finally {
      await receiver.close();
    }
  },
);

it("would see a script that reads layout in a handler", async () => {
  const guilty = `addEventListener("click", () => innerWidth + document.body.offsetHeight, true); fetch("/v1/events", { method: "POST", body: '{"b":"1","e":[{"n":"pageview"}]}' })`;
  const receiver = await startReceiver({ collector: guilty });
  try {
    const { reflows } = await visit(receiver, guilty);
    expect(reflows).toContain("Layout");
  } finally {
    await receiver.close();
  }
});
