import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { type Browser, launchBrowser, type Page } from "../kit/browser.ts";
import { type Fixture, startFixture } from "./fixture.ts";

let browser: Browser;
let fixture: Fixture;
let page: Page;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterEach(async () => {
  await page.close();
  await fixture.close();
});
afterAll(() => browser.close());

const FUNNEL = { name: "Buy", steps: [{ page: "/" }, { goal: "purchase" }] };

async function visit(path: string): Promise<void> {
  fixture = await startFixture({ unfinished: 2, about: { funnels: [FUNNEL] } });
  page = await browser.newPage({ viewport: { width: 1280, height: 900 }, locale: "en-US" });
  await page.goto(fixture.url + path);
  await page.locator(".panels").waitFor();
}

const message = (panel: string) => page.locator(`[data-panel=${panel}] .panel-message`);

it("what takes long to read is asked for until it is there, and the panel says how far it is", async () => {
  await visit("?f=is,visit:country,KR");
  const pages = page.locator("[data-panel=pages]");
  await expect.poll(() => message("pages").textContent()).toBe("Reading the archive…");
  await expect.poll(() => message("pages").textContent()).toBe("Reading the archive… 40%");
  await pages.locator("tbody tr").first().waitFor();
  expect(await message("pages").textContent()).toBe("");

  // The file is not there yet either: what is saved is the table, never the answer that it is not.
  const download = page.waitForEvent("download");
  await pages.locator(".csv").click();
  await expect.poll(() => message("pages").textContent()).toBe("Reading the archive… 40%");
  const file = await download;
  expect(file.suggestedFilename()).toBe("pages.csv");
  expect(page.url()).toContain("f=is");
  await expect.poll(() => message("pages").textContent()).toBe("");
});

it("a funnel that nobody waits for any more is not asked for again", async () => {
  await visit("");
  await page.locator("[data-panel=goals] [data-tab=funnels]").click();
  await expect.poll(() => message("goals").textContent()).toBe("Reading the archive…");
  await page.keyboard.press("w");
  await page.locator(".funnel li").first().waitFor();
  const funnels = fixture.queries.filter(({ steps }) => steps);
  expect(funnels.map(({ date_range }) => date_range)).toEqual(["day", "7d", "7d", "7d"]);
});
