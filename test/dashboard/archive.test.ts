/** What the page shows while the archive is being read, and when the answer comes late. */
import { expect, it } from "vitest";
import { fixture, openTab, page, pageTests, show } from "./harness.ts";
import { hold } from "./hold.ts";
import { recordTexts } from "./inpage.ts";

pageTests();

const FUNNEL = { name: "Buy", steps: [{ page: "/" }, { goal: "purchase" }] };

/** What a panel says while the archive is read stands there for a second: it is kept, not looked for. */
async function visit(path: string, panel: string): Promise<void> {
  await openTab({ unfinished: 2, about: { funnels: [FUNNEL] } });
  await page.addInitScript(recordTexts(`[data-panel=${panel}] .panel-message`));
  await show(path);
}

const said = () => page.evaluate("said");
const READING = ["", "Reading the archive…", "Reading the archive… 40%", ""];

it("what takes long to read is asked for until it is there, and the panel says how far it is", async () => {
  await visit("?f=is,visit:country,KR", "pages");
  const pages = page.locator("[data-panel=pages]");
  await pages.locator("tbody tr").first().waitFor();
  await expect.poll(said).toEqual(READING);
  // The site's first live answer brings another round: what took long is not asked for so soon again.
  const asked = (dimension: string, metric: string) =>
    fixture.queries.filter(
      ({ dimensions, metrics }) => String(dimensions) === dimension && (metrics as string[]).includes(metric),
    ).length;
  await expect.poll(() => asked("time:hour", "visitors")).toBeGreaterThan(2);
  expect(asked("event:page", "pageviews")).toBe(3);

  // The file is not there yet either: what is saved is the table, never the answer that it is not.
  await page.evaluate("said = ['']");
  const download = page.waitForEvent("download");
  await pages.locator(".csv").click();
  const file = await download;
  expect(file.suggestedFilename()).toBe("pages.csv");
  expect(page.url()).toContain("f=is");
  await expect.poll(said).toEqual(READING);
});

it("a panel that rests from the archive is asked again, when it was asked something else meanwhile", async () => {
  await visit("?f=is,visit:country,KR", "pages");
  const badge = page.locator("[data-panel=pages] .badge");
  await badge.waitFor();
  await page.locator(".chip-remove").click();
  await badge.waitFor({ state: "hidden" });
  await page.goBack();
  await badge.waitFor();
});

it("a funnel that nobody waits for any more is not asked for again", async () => {
  await visit("", "goals");
  const funnels = () => fixture.queries.filter(({ steps }) => steps).map(({ date_range }) => date_range);
  await page.locator("[data-panel=goals] [data-tab=funnels]").click();
  await expect.poll(funnels).toEqual(["day"]);
  await page.keyboard.press("w");
  await page.locator(".funnel li").first().waitFor();
  // Twice it was not there yet; the first question had a second to ask again, and did not.
  expect(funnels().filter((range) => range === "7d")).toHaveLength(3);
  expect(funnels().filter((range) => range === "day").length).toBeLessThan(3);
});

it("a funnel that was chosen stays, when the answer about the one before comes later", async () => {
  const other = { name: "Sign up", steps: [{ page: "/pricing" }, { goal: "signup" }] };
  await openTab({ about: { funnels: [FUNNEL, other] } });
  const held = await hold<object>(page, "/api/v2/funnel", (body) =>
    JSON.stringify(body).includes("purchase"),
  );
  await show();
  const panel = page.locator("[data-panel=goals]");
  const asked = page.waitForRequest("**/api/v2/funnel");
  await panel.locator("[data-tab=funnels]").click();
  await expect.poll(held.count).toBeGreaterThan(0);
  await panel.locator(".funnels select").selectOption(other.name);
  const steps = panel.locator(".funnel .text");
  await expect.poll(() => steps.allTextContents()).toEqual(["/pricing", "signup"]);
  held.release();
  // Of one that the page has given up there is none.
  await (await asked).response();
  await page.evaluate("new Promise((resolve) => setTimeout(resolve, 50))");
  expect(await steps.allTextContents()).toEqual(["/pricing", "signup"]);
});

it("the chart's file is waited for as well", async () => {
  await visit("?f=is,visit:country,KR&f=is,visit:device,Mobile", "pages");
  await page.locator("[data-panel=pages] tbody tr").first().waitFor();
  await page.locator(".share-button").click();
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "CSV" }).last().click();
  const file = await download;
  expect(file.suggestedFilename()).toBe("pages.csv");
});
