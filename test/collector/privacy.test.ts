/** What never leaves the page, in Chromium: of addresses, of who the visitor is, and all of those who are not to be counted. */
import { expect, it } from "vitest";
import { QUERY_KEYS, type WireBatch } from "../../processors/model/event.ts";
import { pageUrl } from "../../processors/pipeline/decode/url.ts";
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
import { page, TAG } from "./receiver.ts";

collectorTests();

it("leaves in the address whatever the server counts, and nothing else", async () => {
  const counted = [...QUERY_KEYS].map((key) => `${key}=a%20b%26${key}`);
  for (const click of ["gclid", "msclkid", "fbclid", "ttclid", "twclid", "li_fat_id", "gbraid", "wbraid"]) {
    const query = ["token=t0p", ...counted, "email=a@b.example", `${click}=secret`, "xref=1"].join("&");
    await open(`/?${query}#t0p`);
    const found = () => pageviews().find(({ page: url }) => url.includes(`${click}=`));
    await receiver.until("the page view", () => found() !== undefined);
    const { page: sent } = found()!;
    expect(pageUrl(sent, "u")).toEqual(pageUrl(`${receiver.origin}/?${query}`, "u"));
    expect(sent).not.toMatch(/t0p|secret|example|xref/);
  }
});

it("masks what looks like a mail address or a token, in paths, referrers and links, and leaves words alone", async () => {
  await hurry();
  const uuid = "550e8400-e29b-41d4-a716-446655440000";
  const words =
    "/how-to-read-10-books-in-2024/List_of_Academy_Award_winners_2024/donaudampfschifffahrtsgesellschaft";
  const secrets = [
    "/someone@mail.example",
    "/some%40mail.example",
    `/${uuid}`,
    "/a9F8sk2LLqpW0zRt7YxB",
    "/5f1e0b1c2d3e4f5a6b7c8d9e",
  ];
  receiver.missing = page();
  await open(words);
  await receiver.until("the first page view", () => pageviews().length === 1);
  await tab.evaluate(`location.href = ${JSON.stringify(secrets.join("") + words)}`);
  await receiver.until("two page views", () => pageviews().length === 2);
  await tab.evaluate(`history.pushState({}, "", "/next?utm_source=someone@mail.example")`);
  await receiver.until("three page views", () => pageviews().length === 3);
  const masked = `${receiver.origin}${"/*".repeat(secrets.length)}${words}`;
  expect(pageviews().map(({ page: url, referrer }) => [url, referrer])).toEqual([
    [receiver.origin + words, ""],
    [masked, receiver.origin + words],
    [`${receiver.origin}/next?utm_source=*`, masked],
  ]);
});

it("counts the query parameters that data-params allows as properties of the page view", async () => {
  receiver.pages.set("/", page("", { tag: TAG.replace(" data-site", " data-params='q page' data-site") }));
  await open("/?q=lanterns&token=secret&mail=a@b.example");
  await receiver.until("the page view", () => count("pageview") === 1);
  expect(pageviews()[0]).toMatchObject({ p: { q: "lanterns" }, page: `${receiver.origin}/` });
  expect(JSON.stringify(receiver.attempts.map(({ batch }) => batch))).not.toMatch(/secret|a@b/);
});

it("keeps an identity only with data-identity, the same on every page, and forgets it with the visitor's no", async () => {
  receiver.pages.set("/kept", page("", { tag: TAG.replace(" data-site", " data-identity=local data-site") }));
  receiver.pages.set("/other", page("", { tag: TAG.replace(" data-site", " data-identity=none data-site") }));
  await open("/other");
  await receiver.until("the page without", () => pageviews().length === 1);
  await open("/kept");
  await open("/kept");
  await receiver.until("three page views", () => pageviews().length === 3);
  const ids = new Map(receiver.attempts.map(({ batch }) => [batch.e[0]!.u, batch.v]));
  expect(ids.get(`${receiver.origin}/other`)).toBeUndefined();
  const kept = receiver.attempts.map(({ batch }) => batch.v).filter((id) => id !== undefined);
  expect(kept.length).toBeGreaterThan(1);
  expect(new Set(kept).size).toBe(1);
  expect(kept[0]!.length).toBeGreaterThan(20);
  await tab.evaluate("rivulet.consent(false)");
  expect(await tab.evaluate("JSON.stringify(localStorage)")).toBe(`{"rivulet":"0"}`);
});

it("stays silent on local pages and for visitors who object, unless told or served from the same machine", async () => {
  const silent = (name: string, tag: string, head = "") =>
    receiver.pages.set(`/${name}`, page("", { tag, head }));
  // A server elsewhere (TEST-NET-1, nobody answers) does not want a developer's machine counted.
  const elsewhere = " data-api=http://192.0.2.1/v1/events data-site";
  const sent: string[] = [];
  tab.on("request", (request) => {
    if (request.url().startsWith("http://192.0.2.1/")) sent.push(new URL(tab.url()).pathname);
  });
  silent("local", TAG.replace(" data-site", elsewhere));
  receiver.pages.set("/told", page("", { tag: TAG.replace(" data-site", ` data-local${elsewhere}`) }));
  await open("/local");
  await open("/told");
  await expect.poll(() => sent.length).toBeGreaterThan(0);
  expect(new Set(sent)).toEqual(new Set(["/told"]));
  await tab.evaluate("localStorage.clear()");
  receiver.pages.delete("/told");
  silent(
    "gpc",
    TAG,
    `<script>Object.defineProperty(navigator, "globalPrivacyControl", { value: true })</script>`,
  );
  silent("dnt", TAG, `<script>Object.defineProperty(navigator, "doNotTrack", { value: "1" })</script>`);
  for (const path of receiver.pages.keys()) if (path.length > 1 && path !== "/next") await open(path);
  await tab.evaluate(`rivulet("refused"); rivulet.consent(true); rivulet("agreed")`);
  await receiver.until("the event after consent", () => count("agreed") === 1);
  expect(receiver.names()).toEqual(["pageview", "agreed"]);
  await tab.evaluate(`rivulet.consent(false); rivulet("withdrawn")`);
  await open("/");
  await tab.evaluate(`rivulet.consent(true)`);
  await receiver.until("the last page view", () => pageviews().length === 2);
  expect(count("withdrawn")).toBe(0);
  expect(pageviews()[1]!.page).toBe(`${receiver.origin}/`);
});

it("takes for local only what is: not the hosts whose names begin in the same way", async () => {
  const told = new Set<string>();
  await context.route("**/*", async (route) => {
    const { pathname } = new URL(route.request().url());
    const [event] = (route.request().postDataJSON() as WireBatch | null)?.e ?? [];
    if (event?.u) told.add(new URL(event.u).host);
    await route.fulfill(
      pathname === "/c.js"
        ? { contentType: "text/javascript", body: collector }
        : {
            contentType: "text/html",
            body: page("", { tag: TAG.replace("/c.js", "http://stats.example/c.js") }),
          },
    );
  });
  await context.addInitScript("Object.defineProperty(navigator, 'webdriver', { value: false })");
  for (const host of ["localhost", "localhost:8080", "127.0.0.1", "127.8.0.1:8080", "[::1]:8080"]) {
    await tab.goto(`http://${host}/`);
    // Where a page counts, it says so with its first frame.
    await tab.evaluate("new Promise((seen) => requestAnimationFrame(() => setTimeout(seen, 50)))");
  }
  expect([...told]).toEqual([]);
  const elsewhere = ["localhostels.com", "127.example", "127.0.example", "localhost.example:8080"];
  for (const host of elsewhere) {
    await tab.goto(`http://${host}/`);
    await expect.poll(() => [...told]).toContain(host);
  }
});
