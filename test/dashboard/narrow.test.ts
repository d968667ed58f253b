/** A window that is narrow, or zoomed in, and names that are long: all that the page says is within its width. */
import { expect, it } from "vitest";
import type { Data } from "./fixture.ts";
import { openTab, page, pageTests, show, textOf } from "./harness.ts";

pageTests();

/** In CSS pixels: 1280 by 1024 at 400 % of zoom. */
const ZOOMED = { width: 320, height: 256 };

async function visit(path: string, data: Partial<Data>, viewport?: typeof ZOOMED): Promise<void> {
  await openTab(data, viewport);
  await show(path);
}

it("of a name from right to left that is too long, its beginning is seen and its end is cut off", async () => {
  const name = "מאמרים על אפיית לחם בבית ".repeat(6);
  const event = {
    at: 0,
    name: "pageview",
    page: `/${name}`,
    source: "",
    country: "IL",
    device: "",
    browser: "",
  };
  await visit("", { latest: [event], about: { goals: [{ name, event: "signup" }] } });
  await page.locator("[data-tab=defined]").click();
  for (const selector of [".feed .what", "[data-panel=goals] .text"]) {
    const cut = page.locator(selector).filter({ hasText: "מאמרים" }).first();
    await cut.waitFor();
    const [first, box] = await cut.evaluate((node) => {
      const range = node.ownerDocument.createRange();
      const at = node.textContent.indexOf("מ");
      range.setStart(node.firstChild!, at);
      range.setEnd(node.firstChild!, at + 1);
      return [range, node].map((one) => one.getBoundingClientRect().right) as [number, number];
    });
    expect(first, selector).toBeLessThanOrEqual(box);
  }
});

it("at 400 % of zoom a long name makes nothing wider than the window, and of all rows each button is reached", async () => {
  await visit(`?f=is_not,event:page,/${"no-end".repeat(20)}`, { rows: 60 }, ZOOMED);
  await page.locator("[data-panel=pages] .more").click();
  const dialog = page.getByRole("dialog");
  await dialog.locator("tbody tr").nth(49).waitFor();
  const next = dialog.getByRole("button", { name: "Next" });
  await next.scrollIntoViewIfNeeded();
  const { y = 0, height = 0 } = (await next.boundingBox()) ?? {};
  expect(y + height).toBeLessThan(256);
  expect(await dialog.locator(".scroller").evaluate((node) => node.clientHeight)).toBeGreaterThan(100);
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(320);
});

it.each([
  { of: "one of three sites", path: "" },
  { of: "a site that is not here, whose charts are empty", path: "?site=nobody" },
])("at 400 % of zoom the page of $of is no wider than the window", async ({ path }) => {
  const sites = [1, 2, 3].map((i) => ({ site_id: `shop-${i}.a-long-name.example.com`, time_zone: "UTC" }));
  await visit(path, { sites }, ZOOMED);
  await expect.poll(() => textOf(".fresh")).toMatch(/^Complete|nobody/);
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(320);
});

it("what a point of the chart says is within the chart on a phone too, wherever the point is", async () => {
  await visit("?metric=visit_duration", {}, { width: 360, height: 700 });
  await page.locator(".chart .line").first().waitFor({ state: "attached" });
  const plot = page.locator(".chart .plot");
  await plot.scrollIntoViewIfNeeded();
  const { x: left, y: top, width } = (await plot.boundingBox())!;
  for (const part of [0, 0.3, 0.48, 0.52, 0.7, 1]) {
    await page.mouse.move(left + part * (width - 1), top + 100);
    const tip = (await page.locator(".tip").boundingBox())!;
    const beyond = Math.max(left - tip.x, tip.x + tip.width - left - width);
    expect(beyond, `at ${part}`).toBeLessThan(1);
  }
});

it("at 200 % of zoom names have room beside their numbers, and a word of a title stays whole", async () => {
  await visit(
    "",
    { revenue: 2, sites: [{ site_id: "shop", time_zone: "America/Argentina/Buenos_Aires" }] },
    { width: 640, height: 360 },
  );
  const name = page.locator("[data-panel=goals] tbody .text").first();
  await name.waitFor();
  await expect.poll(() => textOf("[data-panel=goals] thead tr")).toContain("Revenue");
  const [needed, given] = await name.evaluate((node) => [node.scrollWidth, node.clientWidth] as const);
  expect(given).toBe(needed);
  const height = (selector: string) => page.locator(selector).evaluate((node) => node.clientHeight);
  expect(await height("#chart-title")).toBeLessThan(30);
});
