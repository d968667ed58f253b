/** A share link opens the dashboard of one site on a server that lets nobody else read. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Browser, closePages, STILL, sharedBrowser } from "../kit/browser.ts";
import { runHere } from "../kit/command.ts";
import { type ServerProcess, startServer } from "../kit/server.ts";
import { temporaryDirectory } from "../kit/temporary.ts";

const data = temporaryDirectory();
let server: ServerProcess;
let browser: Browser;
beforeAll(async () => {
  [server, browser] = await Promise.all([
    startServer({ data, args: ["--require-key", "--site", "blog", "--site", "shop"] }),
    sharedBrowser(),
  ]);
});
afterAll(async () => {
  await closePages(browser);
  await server?.stop();
});

it("shows that site with every question it asks, and nothing without the link", async () => {
  // Nobody had a key at the start, so that the server printed a link for its first site.
  const link = /http:\S+share=\S+/.exec(server.output())?.[0] ?? "";
  const context = await browser.newContext({ ...STILL, locale: "en-US" });
  try {
    const page = await context.newPage();
    const statuses: number[] = [];
    page.on("response", (response) => {
      if (response.url().includes("/api/")) statuses.push(response.status());
    });
    await page.goto(link);
    await expect.poll(() => page.title(), { timeout: 10_000 }).toContain("blog");
    await expect.poll(() => statuses.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(3);
    expect(statuses.filter((status) => status >= 400)).toEqual([]);
    expect(page.url(), "the link survives what the page does with its address").toContain("share=rvs_");
    expect(await page.locator("body").innerText()).not.toContain("shop");

    const stranger = await context.newPage();
    const refused = stranger.waitForResponse((response) => response.url().includes("/api/v2/sites"));
    await stranger.goto(`${server.url}/?site=shop`);
    expect((await refused).status()).toBe(401);
    await expect
      .poll(async () => stranger.locator("body").innerText(), { timeout: 10_000 })
      .toContain("This page needs a link or key that works");
  } finally {
    await context.close();
  }
});

it("changes nothing by a share link or a reading key, and something by a key that may write", async () => {
  const make = async (...args: string[]): Promise<string> => {
    const { output } = await runHere([...args, "--site", "shop", "--data", data]);
    return /rv[ks]_\w+/.exec(output)?.[0] ?? "";
  };
  const link = await make("share", "add");
  const reading = await make("keys", "add");
  const writing = await make("keys", "add", "--may-write");
  const put = (token: string, type = "application/json") =>
    fetch(`${server.url}/api/v2/site`, {
      method: "PUT",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": type },
      body: JSON.stringify({ site_id: "shop", version: 0, goals: [{ event: "signup" }], funnels: [] }),
    });
  expect((await put(link)).status).toBe(403);
  expect((await put(reading)).status).toBe(403);
  // What a page of another site could send without asking the browser first.
  expect((await put(writing, "text/plain")).status).toBe(400);
  expect((await put(writing)).status).toBe(200);
  const seen = await fetch(`${server.url}/api/v2/site?site_id=shop&share=${link}`);
  expect(await seen.json()).toMatchObject({ goals: [{ event: "signup" }], may_write: false, version: 1 });
});

it("lets other sites frame the embedded page and no other", async () => {
  const policy = async (path: string) => {
    const { headers } = await fetch(server.url + path);
    return [headers.get("content-security-policy"), headers.get("x-frame-options")];
  };
  const [own, ownFrame] = await policy("/");
  const [embedded, embeddedFrame] = await policy("/embed/");
  expect(own).toContain("frame-ancestors 'none'");
  expect(ownFrame).toBe("DENY");
  expect(embedded).toBe(own?.replace("frame-ancestors 'none'", "frame-ancestors *"));
  expect(embeddedFrame).toBeNull();
});
