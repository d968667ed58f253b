/** The collector is a guest: a page is with it as it is without it. */
import axe from "axe-core";
import { expect, it } from "vitest";
import { collectorTests, context, receiver } from "./harness.ts";
import { heavyPage } from "./heavy.ts";
import { startReceiver, TAG } from "./receiver.ts";

collectorTests();

/** A context whose pages may throw. */
const guests = () => context.browser()!.newContext();

it("changes nothing of a page's accessibility, errors and console", async () => {
  // A page with faults of its own.
  const faults = `<img src="data:," id="nameless"><input><script>
    console.warn("the page's own warning");
    addEventListener("click", () => { throw new Error("the page's own error") });
    Promise.reject(new TypeError("the page's own rejection"));</script>`;
  const seen = async (path: string, tag: string) => {
    receiver.pages.set(path, heavyPage(tag).replace("</body>", `${faults}</body>`));
    const visitor = await guests();
    const tab = await visitor.newPage();
    const said: string[] = [];
    tab.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
    tab.on("pageerror", (error) => said.push(String(error)));
    await tab.goto(receiver.origin + path);
    for (const id of ["#plain", "#marked", "#out"]) await tab.click(id);
    await tab.evaluate(axe.source);
    const { violations, passes } = await tab.evaluate<{ violations: object[]; passes: object[] }>(
      `axe.run().then(({ violations, passes }) => ({ violations, passes: passes.map(({ id, nodes }) => [id, nodes.length]) }))`,
    );
    await visitor.close();
    return { said: said.sort(), violations, passes };
  };
  const without = await seen("/without", "");
  expect(without.said.length).toBe(5);
  expect(without.violations.length).toBeGreaterThan(1);
  const named = (of: typeof without) => JSON.parse(JSON.stringify(of).replaceAll("/without", "/with"));
  expect(await seen("/with", TAG)).toEqual(named(without));
  expect(receiver.names()).toContain("pageview");
});

it("works from an origin of its own under default-src 'self'; connect-src ORIGIN; script-src ORIGIN, and under no less", async () => {
  const { origin } = receiver;
  const html = `<!doctype html><html lang="en"><title>t</title><script defer src="${origin}/c.js" data-site="shop.example"></script><p>text</p>`;
  const visit = async (csp: string) => {
    receiver.reset();
    const site = await startReceiver({ collector: "", csp });
    const visitor = await guests();
    try {
      site.pages.set("/", html);
      const tab = await visitor.newPage();
      const said: string[] = [];
      tab.on("console", (message) => said.push(message.text()));
      await tab.goto(`${site.origin}/`);
      if (csp.includes("script-src") && csp.includes("connect-src"))
        await receiver.until("the page view", () => receiver.names().includes("pageview"));
      else await expect.poll(() => said.length).toBeGreaterThan(0);
      return said;
    } finally {
      await visitor.close();
      await site.close();
    }
  };
  expect(await visit(`default-src 'self'; connect-src ${origin}; script-src ${origin}`)).toEqual([]);
  expect((await visit(`default-src 'self'; script-src ${origin}`)).join()).toContain("connect");
  expect(receiver.names()).toEqual([]);
});
