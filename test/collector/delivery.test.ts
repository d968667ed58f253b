/** How what the collector counted gets to the server, in Chromium: once each, whatever the network, the server, the store and other tabs do. */
import { expect, it } from "vitest";
import { LIMITS } from "../../processors/model/event.ts";
import { collectorTests, context, count, hurry, open, openTab, pageviews, receiver, tab } from "./harness.ts";
import { page, TAG } from "./receiver.ts";

collectorTests();

it.each([503, 429, "drop"] as const)("sends a batch again under the same id after %s", async (answer) => {
  await hurry();
  receiver.answers.push(answer, answer);
  await open();
  await receiver.until("a third attempt", () => receiver.attempts.length === 3);
  await tab.waitForFunction(`!Object.keys(localStorage).length`);
  const batches = receiver.attempts.map(({ batch }) => batch);
  expect(new Set(batches.map(({ b }) => b)).size).toBe(1);
  expect(batches[2]!.e).toEqual(batches[0]!.e);
  expect(batches[2]!.t).toBeGreaterThan(batches[0]!.t!); // the sent time is that of the attempt
  expect(receiver.names()).toEqual(["pageview"]);
});

it.each([400, 413])("does not send a batch again after %s", async (answer) => {
  await hurry();
  receiver.answers.push(answer);
  await open();
  await receiver.until("the first attempt", () => receiver.attempts.length === 1);
  await tab.evaluate(`rivulet("later")`);
  await receiver.until("a later event", () => count("later") === 1);
  expect(receiver.attempts.map(({ batch }) => batch.e[0]!.n)).toEqual(["pageview", "later"]);
});

it("loses and doubles nothing that three tabs say while offline, closed tabs included", async () => {
  const tabs = [tab, await context.newPage(), await context.newPage()];
  for (const [i, each] of tabs.entries()) await each.goto(`${receiver.origin}/?utm_source=tab${i}`);
  await receiver.until("three page views", () => pageviews().length === 3);
  await context.setOffline(true);
  for (const [i, each] of tabs.entries()) {
    await each.evaluate(`for (let i = 0; i < 20; i++) rivulet("offline", { props: { key: "${i}-" + i } })`);
  }
  await tabs[2]!.close({ runBeforeUnload: true });
  await tab.waitForFunction("Object.keys(localStorage).length >= 3");
  await context.setOffline(false);
  await receiver.until("60 events", () => count("offline") >= 60, 12_000);
  await tab.waitForFunction("!Object.keys(localStorage).length");
  const keys = receiver
    .counted()
    .filter(({ n }) => n === "offline")
    .map(({ p }) => p!.key);
  expect(new Set(keys).size).toBe(60);
  expect(keys.length).toBe(60);
});

/** A page that is read for a moment before the visitor goes on. */
const READ_MS = 250;

it("makes four requests of a visit to three pages: a report waits for the next page's view", async () => {
  receiver.pages.set("/3", page());
  receiver.pages.set("/next", page());
  await open();
  await receiver.until("the first page view", () => pageviews().length === 1);
  await tab.waitForTimeout(READ_MS);
  // A slow machine: there is time between the two moments at which a page is told that it is left.
  await tab.evaluate(
    `addEventListener("pageswap", () => { for (const from = performance.now(); performance.now() < from + 200; ); })`,
  );
  await tab.click("#next");
  await receiver.until("the second", () => pageviews().length === 2);
  await tab.waitForTimeout(READ_MS);
  await tab.evaluate(`location.href = "/3"`);
  await receiver.until("the third", () => pageviews().length === 3);
  await tab.waitForTimeout(READ_MS);
  await tab.close({ runBeforeUnload: true });
  await receiver.until("the last report", () => count("engagement") === 3);
  const { origin } = receiver;
  expect(receiver.attempts.map(({ batch }) => [batch.q !== undefined, ...batch.e.map(({ n }) => n)])).toEqual(
    [
      [false, "pageview"],
      [true, "pageview"],
      [true, "pageview"],
      [false, "engagement"],
    ],
  );
  const reports = receiver.counted().filter(({ n }) => n === "engagement");
  expect(reports.map(({ page: url }) => url)).toEqual([`${origin}/`, `${origin}/next`, `${origin}/3`]);
  for (const { ms } of reports) expect(ms).toBeGreaterThan(READ_MS / 2);
});

it("lets nothing but a report wait for the next page, and that not where the store does not last", async () => {
  await open();
  await receiver.until("the page view", () => pageviews().length === 1);
  await tab.waitForTimeout(READ_MS);
  await tab.evaluate(`rivulet("bought"); location.href = "/next"`);
  await receiver.until("the next page", () => pageviews().length === 2);
  expect(receiver.attempts[1]!.batch.e.map(({ n }) => n)).toEqual(["bought"]);
  await receiver.until("the report", () => count("engagement") === 1);
  await tab.waitForFunction("!localStorage.length");
  expect(receiver.names().sort()).toEqual(["bought", "engagement", "pageview", "pageview"]);

  receiver.attempts.length = 0;
  await tab.addInitScript(`Object.defineProperty(window, "localStorage", { value: null })`);
  await open();
  await receiver.until("the page view", () => pageviews().length === 1);
  await tab.waitForTimeout(READ_MS);
  await tab.click("#next");
  await receiver.until("all of it", () => pageviews().length === 2 && count("engagement") === 1);
  expect(receiver.attempts.slice(1).some(({ batch }) => batch.q !== undefined)).toBe(false);
});

it("counts a report once whether the answer to what carried it is lost, or no page ever comes for it", async () => {
  await hurry();
  receiver.pages.set("/silent", page("", { tag: "" }));
  await open();
  await receiver.until("the page view", () => pageviews().length === 1);
  await tab.waitForTimeout(READ_MS);
  // The browser itself tries once more where a connection is cut off that it had used before.
  receiver.answers.push("drop", "drop");
  await tab.click("#next");
  await receiver.until("both again", () => receiver.attempts.length >= 5);
  await tab.waitForFunction("!localStorage.length");
  const left = JSON.parse(receiver.attempts[1]!.batch.q!).b;
  expect(receiver.attempts.map(({ batch }) => batch.b)).toContain(left);
  expect(count("engagement")).toBe(1);

  await tab.waitForTimeout(READ_MS);
  await tab.goto(`${receiver.origin}/silent`);
  await tab.waitForFunction("localStorage.length === 1");
  await tab.close();
  await openTab();
  await open();
  await receiver.until("the next visit", () => count("engagement") === 2);
  await tab.waitForFunction("!localStorage.length");
});

it("sends what an earlier page could not deliver", async () => {
  await hurry();
  receiver.answers.push(503, 503, 503);
  await open();
  await tab.waitForFunction("Object.keys(localStorage).length > 0");
  await tab.goto("about:blank");
  receiver.answers.length = 0;
  await open("/next");
  await receiver.until("both page views", () => pageviews().length === 2);
  expect(
    pageviews()
      .map(({ page: url }) => new URL(url).pathname)
      .sort(),
  ).toEqual(["/", "/next"]);
});

it("sends with its next report what a page could only keep while it was left, when the next one was there already", async () => {
  await hurry();
  receiver.pages.set("/silent", page("", { tag: "" }));
  await open();
  await receiver.until("the page view", () => count("pageview") === 1);
  const other = await context.newPage();
  await other.goto(`${receiver.origin}/silent`);
  await other.evaluate(`localStorage["rivulet " + location.origin + "/v1/events 1"] =
    JSON.stringify({ k: 1, s: "shop.example", b: "left", c: {}, d: 0, e: [{ n: "left", t: Date.now(), u: location.href }] })`);
  await tab.evaluate(`rivulet("more")`);
  await receiver.until("what was left", () => count("left") === 1);
  await tab.waitForFunction("!localStorage.length");
  expect(receiver.attempts.length).toBe(2);
});

it("neither blocks the page nor loses or doubles anything when the server is slow", async () => {
  const { promise: after, resolve: answer } = Promise.withResolvers<void>();
  receiver.answers.push({ after }, { after });
  await open();
  await receiver.until("the page view", () => count("pageview") === 1);
  await tab.evaluate(`rivulet("during")`);
  // Would never end if the page waited for its report.
  await open("/next");
  answer();
  await tab.evaluate(`rivulet("after")`);
  await receiver.until("the last event", () => count("after") === 1);
  // The browser gave up the page view that was under way, so the next page has sent it again: same id, counted once.
  const again = () =>
    receiver.attempts
      .slice(1)
      .some(({ batch: { b, q } }) => [b, q && JSON.parse(q).b].includes(receiver.attempts[0]!.batch.b));
  await receiver.until("the first again", again);
  expect(receiver.names().sort()).toEqual(["after", "during", "engagement", "pageview", "pageview"]);
  await tab.waitForFunction("!localStorage.length");
});

it("delivers an event when the tab is closed right after it", async () => {
  await open();
  await receiver.until("the page view", () => count("pageview") === 1);
  await tab.evaluate(`document.querySelector("button").onclick = () => rivulet("clicked")`);
  await tab.click("button");
  await tab.close({ runBeforeUnload: true });
  await receiver.until("the click", () => count("clicked") === 1);
});

it("lets a page that reports in an endless loop send 600 events at once, and says how many it held back", async () => {
  await open();
  await tab.evaluate(`for (let i = 0; i < 1000; i++) rivulet("loop")`);
  await receiver.until("the burst", () => receiver.names().length >= 600);
  await tab.waitForTimeout(400);
  await tab.evaluate(`rivulet("later")`);
  await receiver.until("an event of later", () => count("later") === 1);
  const dropped = receiver.attempts.reduce((sum, { batch }) => sum + (batch.d ?? 0), 0);
  expect(receiver.names().length + dropped).toBe(1002);
  expect(count("loop")).toBeLessThan(620);
});

it("is not held up by anything else that stands where its queue waits", async () => {
  await hurry();
  await open();
  await receiver.until("the page view", () => count("pageview") === 1);
  await tab.evaluate(`
    const prefix = "rivulet " + location.origin + "/v1/events ";
    for (const [i, text] of ["", "{", "garbage", "null", "[1]", "5"].entries())
      localStorage[prefix + i] = text;`);
  receiver.answers.push(503);
  await tab.evaluate(`rivulet("kept")`);
  await tab.waitForFunction("!Object.keys(localStorage).length");
  expect(count("kept")).toBe(1);
});

it("keeps in memory what a full store refuses, under the same id, and needs no room for an identity", async () => {
  receiver.pages.set("/", page("", { tag: TAG.replace(" data-site", " data-identity=local data-site") }));
  await context.clock.install();
  await tab.addInitScript(`for (let size = 1 << 22; size >= 1; size >>= 1)
    try { for (;;) localStorage["fill" + Math.random()] = "x".repeat(size) } catch {}`);
  receiver.answers.push("drop", 503);
  await open();
  await receiver.until("the first attempt", () => receiver.attempts.length === 1);
  for (let minute = 0; minute < 3 && receiver.attempts.length < 3; minute++) {
    await tab.waitForTimeout(100);
    await context.clock.runFor(61_000);
  }
  await receiver.until("the third attempt", () => receiver.attempts.length >= 3);
  expect(new Set(receiver.attempts.map(({ batch }) => batch.b)).size).toBe(1);
  expect(receiver.attempts[0]!.batch.v).toBeUndefined();
  expect(count("pageview")).toBe(1);
  expect(await tab.evaluate("Object.keys(localStorage).filter((key) => key.includes('rivulet'))")).toEqual(
    [],
  );
});

it.each([
  ["throws", "get() { throw new DOMException('no', 'SecurityError') }"],
  ["is null", "value: null"],
])("delivers after a failure also where the store %s", async (_, store) => {
  await hurry();
  await tab.addInitScript(`Object.defineProperty(window, "localStorage", { ${store} })`);
  receiver.answers.push(503, "drop");
  await open();
  await receiver.until("the first attempt", () => receiver.attempts.length === 1);
  await tab.evaluate(`rivulet("later")`);
  await receiver.until("all of them", () => count("later") === 1 && count("pageview") === 1);
  await receiver.until("every attempt", () => receiver.attempts.length >= 4);
  expect(receiver.names().sort()).toEqual(["later", "pageview"]);
});

it("drops the oldest of a full queue, and says how many events that were, those it had dropped before included", async () => {
  await hurry();
  await open();
  await receiver.until("the page view", () => count("pageview") === 1);
  await context.setOffline(true);
  await tab.evaluate(`
    const batch = (e, d) => JSON.stringify({ k: 1, s: "shop.example", b: "b" + e, c: {}, d, e: Array(e).fill({ n: "old", t: Date.now(), u: location.href }) });
    const prefix = "rivulet " + location.origin + "/v1/events ";
    localStorage[prefix + "0"] = batch(3, 4);
    localStorage[prefix + "1"] = batch(2, 0);
    for (let i = 0; i < 498; i++) localStorage[prefix + (1000 + i)] = batch(1, 0);
    rivulet("new")`);
  await tab.waitForFunction(`Object.entries(localStorage).some(([, text]) => text.includes('"new"'))`);
  const kept = await tab.evaluate<string[]>("Object.values(localStorage)");
  expect(kept.length).toBe(500);
  expect(kept.map((text) => JSON.parse(text)).find(({ e }) => e[0].n === "new").d).toBe(7);
});

it("splits what is too much for one keepalive request", async () => {
  await hurry();
  await open();
  await tab.evaluate(
    `for (let i = 0; i < 40; i++) rivulet("big", { props: { text: "글".repeat(1500), i } })`,
  );
  await receiver.until("all of them", () => count("big") === 40, 15_000);
  expect(Math.max(...receiver.attempts.map(({ bytes }) => bytes))).toBeLessThanOrEqual(48 * 1024);
  expect(LIMITS.bodyBytes).toBeGreaterThan(48 * 1024);
});

it("keeps nothing that was on its way when the visitor said no", async () => {
  await hurry();
  await open();
  await receiver.until("the page view", () => count("pageview") === 1);
  const { promise: after, resolve: answer } = Promise.withResolvers<void>();
  receiver.answers.push({ after, status: 503 });
  await tab.evaluate(`rivulet("late")`);
  await receiver.until("the attempt", () => receiver.attempts.length === 2);
  await tab.evaluate("rivulet.consent(false)");
  answer();
  await tab.waitForTimeout(500);
  expect(await tab.evaluate("JSON.stringify(localStorage)")).toBe(`{"rivulet":"0"}`);
  expect(receiver.attempts.length).toBe(2);
});
