import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Browser, closePages, type Page, STILL, sharedBrowser } from "../kit/browser.ts";
import { query } from "../kit/client.ts";
import { type Listening, listening } from "../kit/listening.ts";
import { patience } from "../kit/patience.ts";
import { type ServerProcess, startServer } from "../kit/server.ts";
import { temporaryDirectory } from "../kit/temporary.ts";

const TRACKED = "tracked.example";

const data = temporaryDirectory();
let server: ServerProcess;
let browser: Browser;
beforeAll(async () => {
  [server, browser] = await Promise.all([
    startServer({ data, args: ["--site", "demo", "--site", TRACKED] }),
    sharedBrowser(),
  ]);
});
afterAll(async () => {
  await closePages(browser);
  await server?.stop();
});

/** Errors of the console, uncaught ones, violations of the content security policy, and answers that are errors. */
function watch(page: Page): string[] {
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
  });
  page.on("response", (response) => {
    if (response.status() >= 400) problems.push(`${response.status()} ${response.url()}`);
  });
  return problems;
}

describe("the demo shop beside the dashboard", () => {
  it("shows each of five pages and the signup within 2 s, without a reload", async () => {
    const context = await browser.newContext({
      ...STILL,
      locale: "en-US",
      viewport: { width: 1280, height: 1600 },
    });
    const shop = await context.newPage();
    const dashboard = await context.newPage();
    const problems = [...[shop, dashboard].map(watch)];
    await dashboard.goto(`${server.url}/?site=demo`);
    let loads = 0;
    dashboard.on("load", () => loads++);
    const delays: string[] = [];
    const shows = async (what: string, done: () => Promise<unknown>): Promise<void> => {
      await done();
      const clickedAt = performance.now();
      const newest = dashboard.locator(".feed .what", { hasText: what }).first();
      await newest.waitFor({ timeout: Math.max(20_000, patience(2_000)) });
      const delay = performance.now() - clickedAt;
      delays.push(`${what} ${delay.toFixed(0)} ms`);
      expect(delay, what).toBeLessThan(patience(2_000));
    };
    await shows("/demo/", () => shop.goto(`${server.url}/demo/`));
    await shows("/demo/lantern.html", () => shop.click("text=Night lantern"));
    await shows("/demo/blanket.html", () => shop.click("text=Wool blanket"));
    await shows("/demo/journal.html", () => shop.click("text=Journal"));
    await shows("/demo/signup.html", () => shop.click("header >> text=Sign up"));
    await shows("signup ·", async () => {
      await shop.fill("#email", "someone@example.com");
      await shop.check("[value=pro]");
      await shop.click("#signup button");
    });
    console.log(`shown after: ${delays.join(", ")}`);
    // The headline follows the live strip, from what the rollups say.
    await expect.poll(() => dashboard.locator("[data-metric=pageviews] .value").textContent()).toBe("6");
    await expect.poll(() => dashboard.locator("#current").textContent()).toBe("1");
    expect(loads).toBe(0);
    expect(problems.flat()).toEqual([]);
    const { results } = await query(server.url, {
      site_id: "demo",
      metrics: ["visitors", "visits", "pageviews"],
      date_range: "24h",
    });
    expect(results[0]?.metrics).toEqual([1, 1, 6]);
    await context.close();
  });
});

describe("the install check", () => {
  it("names the site that a mistyped snippet reports to", async () => {
    const about = async () =>
      (await (await fetch(`${server.url}/api/v2/site?site_id=${TRACKED}`)).json()) as Record<string, unknown>;
    expect(await about()).toMatchObject({ last_request_at: null, may_write: true });
    await fetch(`${server.url}/v1/events`, {
      method: "POST",
      body: JSON.stringify({
        s: "trakced.example",
        c: { u: "https://tracked.example/" },
        e: [{ n: "pageview" }],
      }),
    });
    expect(await about()).toMatchObject({
      last_request_at: null,
      unknown_sites: [{ site_id: "trakced.example", at: expect.any(Number) }],
    });
  });
});

describe("@plausible-analytics/tracker, pointed at /api/event", () => {
  let site: Listening;
  beforeAll(async () => {
    const tracker = await readFile(
      new URL("../../node_modules/@plausible-analytics/tracker/plausible.js", import.meta.url),
    );
    const html = `<!doctype html><title>Tracked</title><body style="height:3000px"><a href="/next">next</a>
<script type="module">
  import { init, track } from "/plausible.js";
  init({ domain: "${TRACKED}", endpoint: "${server.url}/api/event", captureOnLocalhost: true });
  window.track = track;
</script>`;
    site = await listening(
      createServer((request, response) => {
        const isScript = request.url === "/plausible.js";
        response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html; charset=utf-8");
        response.end(isScript ? tracker : request.url === "/favicon.ico" ? "" : html);
      }),
    );
  });
  afterAll(() => site?.close());

  const ask = async (metrics: string[], dimensions: string[] = []) =>
    (await query(server.url, { site_id: TRACKED, metrics, date_range: "24h", dimensions })).results;

  it("counts page views, a custom event with properties and revenue, and engagement", async () => {
    const context = await browser.newContext({ locale: "en-US" });
    // The tracker ignores automated browsers; this is its own switch for tests.
    await context.addInitScript("window.__plausible = true");
    const tab = await context.newPage();
    const problems = watch(tab);
    await tab.goto(`${site.origin}/?utm_source=newsletter&utm_medium=email`);
    await expect.poll(() => ask(["pageviews"])).toMatchObject([{ metrics: [1] }]);
    await tab.mouse.wheel(0, 1_000);
    await tab.click("text=next");
    await expect.poll(() => ask(["pageviews"])).toMatchObject([{ metrics: [2] }]);
    await tab.evaluate(`track("Purchase", {
      props: { plan: "pro", seats: 3 }, revenue: { amount: "12.50", currency: "EUR" }
    })`);
    await expect
      .poll(() => ask(["visitors", "events", "total_revenue"], ["event:goal"]))
      .toMatchObject([{ metrics: [1, 1, { currency: "EUR", value: 12.5 }], dimensions: ["Purchase"] }]);
    expect(await ask(["events"], ["event:props:plan"])).toEqual([{ metrics: [1], dimensions: ["pro"] }]);
    expect(await ask(["events"], ["event:props:seats"])).toEqual([{ metrics: [1], dimensions: ["3"] }]);
    expect(await ask(["visitors", "visits", "pageviews", "events", "bounce_rate"])).toMatchObject([
      { metrics: [1, 1, 2, 3, 0] },
    ]);
    expect(await ask(["pageviews"], ["event:page"])).toEqual([
      { metrics: [1], dimensions: ["/"] },
      { metrics: [1], dimensions: ["/next"] },
    ]);
    expect(await ask(["visits"], ["visit:source"])).toEqual([{ metrics: [1], dimensions: ["newsletter"] }]);
    expect(await ask(["visits"], ["visit:channel"])).toEqual([{ metrics: [1], dimensions: ["Email"] }]);
    expect(await ask(["visits"], ["visit:browser"])).toEqual([{ metrics: [1], dimensions: ["Chrome"] }]);

    // The first page was left by a click, the second is closed: both report.
    await tab.close({ runBeforeUnload: true });
    await expect
      .poll(async () =>
        (await ask(["scroll_depth", "time_on_page"], ["event:page"])).map(({ metrics }) => metrics),
      )
      .toEqual([
        [expect.any(Number), expect.any(Number)],
        [expect.any(Number), expect.any(Number)],
      ]);
    const [first] = await ask(["scroll_depth"], ["event:page"]);
    expect(first?.metrics[0]).toBeGreaterThan(20);
    expect(problems).toEqual([]);
    await context.close();
  });
});
