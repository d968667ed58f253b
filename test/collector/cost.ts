/**
 * What the collector costs a page's main thread, traced in Chromium: `node test/collector/cost.ts`. Not part of the tests,
 * because times belong to a machine; `trace.test.ts` asserts what does not.
 */
import { buildCollector } from "../../collector/build.ts";
import { launchBrowser } from "../kit/browser.ts";
import { heavyPage } from "./heavy.ts";
import { startReceiver } from "./receiver.ts";
import { type Cost, costOf, median } from "./trace.ts";

const LOADS = 30;
const CLICKS = 60;

const { code } = await buildCollector();
const [browser, receiver] = await Promise.all([launchBrowser(), startReceiver({ collector: code })]);
const report = (what: string, costs: readonly Cost[]): void => {
  const times = costs.map(({ ms }) => ms);
  const count = (of: (cost: Cost) => readonly unknown[]) =>
    costs.reduce((sum, cost) => sum + of(cost).length, 0);
  console.log(
    `${what}: median ${median(times).toFixed(3)} ms, ${Math.min(...times).toFixed(3)} to ${Math.max(...times).toFixed(3)}, of ${costs.length}; ` +
      `reflows ${count(({ reflows }) => reflows)}; tasks over 50 ms with it in them ${count(({ longTasks }) => longTasks)}, ` +
      `of its own ${count(({ longTasks }) => longTasks.filter(({ ownMs }) => ownMs > 50))}`,
  );
};
try {
  receiver.pages.set("/", heavyPage());
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const tab = await context.newPage();
  const script = `${receiver.origin}/c.js`;
  const loads: Cost[] = [];
  const clicks = { plain: [] as Cost[], marked: [] as Cost[], out: [] as Cost[] };
  // The first load fills the caches.
  for (let i = 0; i <= LOADS; i++) {
    await tab.goto("about:blank");
    receiver.attempts.length = 0;
    const cost = await costOf(browser, tab, script, async () => {
      await tab.goto(`${receiver.origin}/`);
      await receiver.until("the page view", () => receiver.names().includes("pageview"));
    });
    if (i > 0) loads.push(cost);
  }
  for (let i = 0; i < CLICKS; i++) {
    const id = (["plain", "marked", "out"] as const)[i % 3]!;
    // Down, up, click: all that the browser tells the collector of one.
    clicks[id].push(await costOf(browser, tab, script, () => tab.click(`#${id}`)));
  }
  report("load", loads);
  report("click on nothing in particular", clicks.plain);
  report("click on an element with data-event", clicks.marked);
  report("click on an outbound link", clicks.out);
} finally {
  await browser.close();
  await receiver.close();
}
