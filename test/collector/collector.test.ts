/** What the collector counts of a page, in Chromium: views, time, clicks, and events of the page's own. */
import { expect, it } from "vitest";
import {
  collector,
  collectorTests,
  context,
  count,
  hurry,
  open,
  pageviews,
  receiver,
  tab,
} from "./harness.ts";
import { page, startReceiver, TAG } from "./receiver.ts";

const STUB =
  "<script>window.rivulet=window.rivulet||function(){(rivulet.q=rivulet.q||[]).push(arguments)}</script>";

collectorTests();

it("counts a page view at once when a page loads, as a simple request without credentials", async () => {
  await open("/?utm_source=news&token=secret&gclid=abc#part");
  await receiver.until("the page view", () => count("pageview") === 1, 900);
  const { batch, headers } = receiver.attempts[0]!;
  expect(batch).toMatchObject({
    k: 2,
    s: "shop.example",
    c: { l: "en-US" },
    e: [{ n: "pageview", u: `${receiver.origin}/?utm_source=news&gclid=a`, r: "" }],
    d: 0,
  });
  expect(batch.b).toMatch(/^\d{14}\.\d{10,}$/);
  expect(batch.v).toBeUndefined();
  expect(batch.c!.w).toBeGreaterThan(0);
  expect(Math.abs(batch.t! - Date.now())).toBeLessThan(5_000);
  expect(batch.e[0]!.t).toBeLessThanOrEqual(batch.t!);
  expect(headers["content-type"]).toBe("text/plain;charset=UTF-8");
  expect(headers.cookie).toBeUndefined();
  expect(await tab.evaluate("document.cookie + localStorage.length + sessionStorage.length")).toBe("00");
});

it("counts one page view for each changed path of a single-page application, with the previous page as referrer", async () => {
  await hurry();
  await open();
  await tab.evaluate(`
    history.pushState({}, "", "/a"); history.replaceState({}, "", "/a?sort=up"); history.pushState({}, "", "#x");
    history.pushState({}, "", "/b"); history.back();`);
  await receiver.until("four page views", () => pageviews().length === 4);
  const { origin } = receiver;
  expect(pageviews().map(({ page: url, referrer }) => [url, referrer])).toEqual([
    [`${origin}/`, ""],
    [`${origin}/a`, `${origin}/`],
    [`${origin}/b`, `${origin}/a`],
    [`${origin}/a`, `${origin}/b`],
  ]);
});

it("coalesces fifty quick navigations into few requests, loses none, and knows where each came from", async () => {
  await hurry();
  await open();
  await tab.evaluate(`for (let i = 0; i < 50; i++) history.pushState({}, "", "/p" + i)`);
  await receiver.until("51 page views", () => pageviews().length === 51);
  const path = (i: number) => `${receiver.origin}/${i < 0 ? "" : `p${i}`}`;
  expect(pageviews().map(({ page: url, referrer }) => [url, referrer])).toEqual(
    Array.from({ length: 51 }, (_, i) => [path(i - 1), i === 0 ? "" : path(i - 2)]),
  );
  expect(receiver.attempts.length).toBeLessThanOrEqual(4);
});

it("makes the fragment part of the path only with data-hash", async () => {
  await hurry();
  receiver.pages.set("/", page("", { tag: TAG.replace(" data-site", " data-hash data-site") }));
  await open("/#/start");
  await tab.evaluate(`location.hash = "#/about"`);
  await receiver.until("two page views", () => pageviews().length === 2);
  expect(pageviews().map(({ page: url }) => new URL(url).pathname)).toEqual(["/start", "/about"]);
});

it("keeps a query in the fragment in the page, but for campaigns where the address has none of its own", async () => {
  await hurry();
  receiver.pages.set("/", page("", { tag: TAG.replace(" data-site", " data-hash data-site") }));
  await open("/#/start?id=1&utm_source=a");
  await tab.evaluate(`location.hash = "#/start?id=2"`);
  await tab.evaluate(`location.hash = "#/about?id=3"`);
  await tab.evaluate(`history.pushState({}, "", "/?utm_source=b#/contact?id=4")`);
  await receiver.until("three page views", () => pageviews().length === 3);
  expect(pageviews().map(({ page: url }) => url.slice(receiver.origin.length))).toEqual([
    "/start?utm_source=a",
    "/about",
    "/contact?utm_source=b",
  ]);
});

it("keeps custom events called before it has loaded and those called after", async () => {
  await hurry();
  receiver.pages.set(
    "/",
    page("", { head: `${STUB}<script>rivulet("early", { props: { a: 1 } })</script>` }),
  );
  await open();
  await tab.evaluate(
    `rivulet("paid", { props: { plan: "pro" }, revenue: { amount: 12.5, currency: "USD" }, interactive: false })`,
  );
  await receiver.until("both events", () => count("paid") === 1);
  expect(receiver.names()).toEqual(["pageview", "early", "paid"]);
  const [, early, paid] = receiver.counted();
  expect(early).toMatchObject({ p: { a: 1 } });
  expect(paid).toMatchObject({ p: { plan: "pro" }, $: { amount: 12.5, currency: "USD" }, i: false });
});

it("swallows nonsense from the page and goes on counting", async () => {
  await hurry();
  await open();
  await tab.evaluate(`
    const loop = {}; loop.loop = loop;
    rivulet("loop", { props: loop }); rivulet("null", null); rivulet(); rivulet.consent();
    localStorage.clear(); rivulet.consent(true);
    rivulet("fine")`);
  await receiver.until("the good event", () => count("fine") === 1);
  expect(count("loop")).toBe(0);
});

it("reports engaged time and the deepest scroll when the page is left", async () => {
  receiver.pages.set("/", page('<div style="height:4000px"></div>'));
  const openedAt = performance.now();
  await open();
  await tab.evaluate("scrollTo(0, 2000)");
  await tab.waitForTimeout(600);
  await tab.evaluate("scrollTo(0, 0)");
  await open("/next");
  const openedFor = performance.now() - openedAt;
  await receiver.until("the engagement of the first page", () => count("engagement") >= 1);
  const { ms, sd, page: url } = receiver.counted().find(({ n }) => n === "engagement")!;
  expect(url).toBe(`${receiver.origin}/`);
  expect(ms).toBeGreaterThan(500);
  expect(ms).toBeLessThan(openedFor);
  expect(sd).toBeGreaterThanOrEqual(60);
  expect(sd).toBeLessThan(90);
});

it("does not count time while the page is hidden, and reports once", async () => {
  await open();
  await tab.evaluate(`
    let hidden = false;
    Object.defineProperty(document, "hidden", { get: () => hidden });
    const turns = (window.turns = [0]);
    window.show = (yes) => { hidden = !yes; turns.push(performance.now()); document.dispatchEvent(new Event("visibilitychange", { bubbles: true })) };
    setTimeout(() => { show(false); setTimeout(() => { show(true); setTimeout(() => show(false), 200) }, 400) }, 200)`);
  await receiver.until("two reports", () => count("engagement") === 2);
  const [, hidden, shown, hiddenAgain] = await tab.evaluate<number[]>("turns");
  await open("/next");
  await receiver.until("the next page", () => pageviews().length === 2);
  const times = receiver.counted().filter(({ n, page: url }) => n === "engagement" && url.endsWith("/"));
  expect(times.length).toBe(2);
  const visible = [hidden!, hiddenAgain! - shown!];
  for (const [i, { ms }] of times.entries()) {
    expect(ms).toBeGreaterThanOrEqual(150);
    expect(ms).toBeLessThan(visible[i]! + 50);
  }
});

it("counts a page again when the back/forward cache shows it", async () => {
  await hurry();
  await open();
  await tab.evaluate(`dispatchEvent(new PageTransitionEvent("pageshow", { persisted: false }))`);
  // The headless shell has no such cache, so the event that a browser fires on return is all that can be shown here.
  await tab.evaluate(`dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }))`);
  await tab.evaluate(`rivulet("last")`);
  await receiver.until("the last event", () => count("last") === 1);
  expect(receiver.names()).toEqual(["pageview", "pageview", "last"]);
});

it("gives the browser no reason to keep a page out of the back/forward cache", async () => {
  const reasons = async (path: string) => {
    const developer = await context.newCDPSession(tab);
    await developer.send("Page.enable");
    const explained = new Promise<string[]>((resolve) => {
      developer.once("Page.backForwardCacheNotUsed", ({ notRestoredExplanations }) =>
        resolve(notRestoredExplanations.map(({ reason }) => reason).sort()),
      );
    });
    await open(path);
    await tab.evaluate(`location.href = "/next"`);
    await tab.waitForURL("**/next");
    await tab.goBack({ waitUntil: "commit" });
    return await explained;
  };
  receiver.pages.set("/plain", page("", { tag: "" }));
  receiver.pages.set("/guilty", page("", { tag: "<script>onunload = () => {}</script>" }));
  const without = await reasons("/plain");
  expect(await reasons("/guilty")).not.toEqual(without); // the browser does tell
  expect(await reasons("/")).toEqual(without);
});

it("reports a page that the server answered with 404, without ending a bounce", async () => {
  await hurry();
  receiver.missing = page("sorry");
  await open("/gone");
  await receiver.until("the event", () => count("404") === 1);
  expect(receiver.counted()[1]).toMatchObject({ n: "404", i: false, page: `${receiver.origin}/gone` });
});

it("tells which app a visitor came from", async () => {
  receiver.pages.set(
    "/",
    page("", {
      head: `<script>Object.defineProperty(document, "referrer", { value: "android-app://com.example.mail/" })</script>`,
    }),
  );
  await open();
  await receiver.until("the page view", () => pageviews().length === 1);
  expect(pageviews()[0]!.referrer).toBe("android-app://com.example.mail/");
});

it("lets the page edit or drop each event before it is counted", async () => {
  await hurry();
  const head = `<script>
    function look(event) {
      if (event.n === "secret") return;
      if (event.n === "pageview") event.u = location.origin + "/renamed";
      if (event.n === "broken") throw new Error("the page's own");
      return { ...event, p: { ...event.p, seen: true } };
    }</script>`;
  receiver.pages.set("/", page("", { head, tag: TAG.replace(" data-site", " data-before=look data-site") }));
  await open();
  await tab.evaluate(`rivulet("secret"); rivulet("broken"); rivulet("open")`);
  await receiver.until("the last event", () => count("open") === 1);
  expect(receiver.counted()).toMatchObject([
    { n: "pageview", page: `${receiver.origin}/renamed`, p: { seen: true } },
    { n: "open", p: { seen: true } },
  ]);
  expect(receiver.names()).toEqual(["pageview", "open"]);
});

it("loads the optional chunks that data-with names, and only once the page counts", async () => {
  const asked: string[] = [];
  tab.on("request", (request) => asked.push(new URL(request.url()).pathname));
  receiver.pages.set(
    "/",
    page("<button>b</button>", {
      tag: TAG.replace(" data-site", " data-with='vitals.js errors.js rage.js' data-site"),
    }),
  );
  await tab.addInitScript(`Object.defineProperty(navigator, "globalPrivacyControl", { value: true })`);
  await open();
  await tab.evaluate("1");
  expect(asked).toEqual(["/", "/c.js"]);
  await tab.evaluate("rivulet.consent(true)");
  await expect.poll(() => asked.length).toBe(6);
  expect(asked.slice(2).sort()).toEqual(["/errors.js", "/rage.js", "/v1/events", "/vitals.js"]);
});

it("reports outbound links, downloads, forms and marked elements without code in the page", async () => {
  await hurry();
  receiver.pages.set(
    "/",
    page(`<a id="out" href="http://127.0.0.2:9/x?q=secret">out</a><a id="pdf" href="/price-list.pdf">pdf</a>
      <a id="in" href="/next">in</a><form id="f" data-x><input name="id"><button id="go">go</button></form>
      <button id="m" data-event="like" data-props='{"of":"page"}'><b>x</b></button>
      <script>addEventListener("click", e => e.target.closest("a") && e.preventDefault()); addEventListener("submit", e => e.preventDefault())</script>`),
  );
  await open();
  for (const id of ["#out", "#pdf", "#in", "#go", "#m b"]) await tab.click(id);
  await receiver.until("four events", () => count("like") === 1);
  expect(
    receiver
      .counted()
      .slice(1)
      .map(({ n, p }) => [n, p]),
  ).toEqual([
    ["outbound", { id: "out", url: "http://127.0.0.2:9/x" }],
    ["download", { id: "pdf", url: `${receiver.origin}/price-list.pdf` }],
    ["form", { id: "f" }],
    ["like", { id: "m", of: "page" }],
  ]);
});

it("counts a page only once it is seen", async () => {
  const hide = `<script>let hidden = true; Object.defineProperty(document, "hidden", { get: () => hidden });
    window.show = () => { hidden = false; document.dispatchEvent(new Event("visibilitychange", { bubbles: true })) }</script>`;
  receiver.pages.set("/hidden", page("", { head: STUB + hide }));
  await open("/hidden");
  await tab.evaluate(`rivulet("unseen")`);
  await open("/hidden");
  await tab.evaluate(`rivulet("seen"); show()`);
  await receiver.until("the page view", () => count("seen") === 1);
  expect(receiver.names()).toEqual(["pageview", "seen"]);
});

it("counts once where the tag stands twice", async () => {
  await hurry();
  receiver.pages.set("/", page("", { tag: TAG + TAG }));
  await open();
  await tab.evaluate(`history.pushState({}, "", "/a"); rivulet("last")`);
  await receiver.until("the last event", () => count("last") === 1);
  // Whether the first page had a frame, and so a depth to report, is the machine's affair.
  expect(receiver.names().filter((name) => name !== "engagement")).toEqual(["pageview", "pageview", "last"]);
});

it("works under a strict content security policy", async () => {
  const strict = await startReceiver({
    collector,
    csp: "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:",
  });
  try {
    strict.pages.set("/", page());
    const violations: string[] = [];
    tab.on("console", (message) => message.type() === "error" && violations.push(message.text()));
    await tab.goto(`${strict.origin}/`);
    await strict.until("the page view", () => strict.names().length === 1);
    expect(violations).toEqual([]);
  } finally {
    await strict.close();
  }
});
