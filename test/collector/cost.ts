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
/** The least that any script of this kind does: one request. */
const BARE = `fetch("/v1/events", { method: "POST", body: '{"b":"1","e":[{"n":"pageview"}]}', keepalive: true })`;
const files = async (path: string) => (path === "/bare.js" ? Buffer.from(BARE) : undefined);

const [browser, receiver] = await Promise.all([launchBrowser(), startReceiver({ collector: code, files })]);
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
  receiver.pages.set("/bare", heavyPage('<script defer src="/bare.js"></script>'));
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const tab = await context.newPage();
  const script = `${receiver.origin}/c.js`;
  const loads: Cost[] = [];
  const requests: Cost[] = [];
  const clicks = { plain: [] as Cost[], marked: [] as Cost[], out: [] as Cost[] };
  const moves: Cost[] = [];
  // Both take turns, and the first turn fills the caches.
  for (let i = 0; i <= LOADS; i++) {
    for (const [path, url, costs] of [
      ["/bare", `${receiver.origin}/bare.js`, requests],
      ["/", script, loads],
    ] as const) {
      await tab.goto("about:blank");
      receiver.attempts.length = 0;
      const cost = await costOf(browser, tab, url, async () => {
        await tab.goto(receiver.origin + path);
        await receiver.until("the page view", () => receiver.names().includes("pageview"));
      });
      if (i > 0) costs.push(cost);
    }
  }
  for (let i = 0; i < CLICKS; i++) {
    const id = (["plain", "marked", "out"] as const)[i % 3]!;
    moves.push(await costOf(browser, tab, script, () => tab.hover(`#${id}`)));
    // Down, focus, up, click, and the frame after it: all that the browser tells the collector of one.
    const click = async () => {
      await tab.mouse.down();
      await tab.mouse.up();
      await tab.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))");
    };
    clicks[id].push(await costOf(browser, tab, script, click));
  }
  report("load, until the page view is on its way", loads);
  report(
    "of it, evaluating the script",
    loads.map((cost) => ({ ...cost, ms: cost.evaluationMs })),
  );
  report("load of a script that only sends one request", requests);
  // Neighbours, because what else runs on the machine slows both.
  const ratios = loads.map(({ ms }, i) => ms / requests[i]!.ms);
  console.log(`a load costs ${median(ratios).toFixed(2)} times that one request`);
  report("move of the pointer to what is clicked", moves);
  report("click on nothing in particular", clicks.plain);
  report("click on an element with data-event", clicks.marked);
  report("click on an outbound link", clicks.out);
} finally {
  await browser.close();
  await receiver.close();
}
