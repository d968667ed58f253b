/** Whether everybody can use the page: axe in every view, all of it by keyboard, and where the focus goes. */
import { createRequire } from "node:module";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  type Browser,
  type BrowserContext,
  closePages,
  type Page,
  STILL,
  sharedBrowser,
} from "../kit/browser.ts";
import { type Fixture, startFixture } from "./fixture.ts";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

let browser: Browser;
let fixture: Fixture;
let context: BrowserContext;
let page: Page;
beforeAll(async () => {
  [browser, fixture] = await Promise.all([
    sharedBrowser(),
    startFixture({
      rows: 60,
      error: 0.012,
      revenue: 2,
      about: {
        goals: [{ event: "signup" }, { page: "/pricing", name: "Looked at prices" }],
        funnels: [{ name: "Buy", steps: [{ page: "/" }, { page: "/pricing" }, { goal: "purchase" }] }],
      },
    }),
  ]);
  // Evaluated from outside, the script needs no place in the page's policy.
  context = await browser.newContext({
    ...STILL,
    viewport: { width: 1280, height: 900 },
    locale: "en-US",
    bypassCSP: true,
  });
  page = await context.newPage();
  await page.goto(fixture.url);
  await page.addScriptTag({ path: AXE });
  await page.locator("[data-panel=vitals] tbody tr").first().waitFor();
});
afterAll(async () => {
  await closePages(browser);
  await fixture?.close();
});

/**
 * Every rule of WCAG 2.2 A and AA and of good practice that axe can test: of the page, or of the part of it that is not as
 * it was before. Axe takes a second for a page.
 */
async function violations(part = "html"): Promise<string[]> {
  const results = (await page.evaluate(
    `axe.run(${JSON.stringify(part)}, { resultTypes: ['violations'] })`,
  )) as {
    violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  return results.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)} ${failureSummary.slice(0, 160)}`),
  );
}

const tab = (panel: string, name: string) => page.locator(`[data-panel=${panel}] [data-tab=${name}]`);
const focused = () => page.evaluate("document.activeElement?.outerHTML.slice(0, 200) ?? ''");
const dialogs = () => page.getByRole("dialog").count();

/** Until a tab is answered, the rows of the one before are faded. */
const IS_ANSWERED = `[...document.querySelectorAll(".panel")].every((one) => getComputedStyle(one).opacity === "1")`;
const answered = () => expect.poll(() => page.evaluate(IS_ANSWERED)).toBe(true);

describe("axe finds nothing wrong", () => {
  it.each(["light", "dark"] as const)("in the report, %s", async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    expect(await violations()).toEqual([]);
    await page.emulateMedia({ colorScheme: "light" });
  });

  it("in every other tab", async () => {
    for (const [panel, name, seen] of [
      ["goals", "funnels", ".funnel li"],
      ["places", "country", "[data-panel=places] .pick"],
      ["links", "notFound", "[data-panel=links] .pick"],
    ] as const) {
      await tab(panel, name).click();
      await page.locator(seen).first().waitFor();
    }
    await answered();
    expect(await violations()).toEqual([]);
    for (const name of ["defined", "properties"]) {
      await tab("goals", name).click();
      await page.locator("[data-panel=goals] .pick").first().waitFor();
      await answered();
      expect(await violations("[data-panel=goals]"), name).toEqual([]);
    }
  });

  it.each([
    { name: "all rows", opens: "[data-panel=pages] .more" },
    { name: "filter", opens: "[data-key=filter]" },
    { name: "share", opens: ".share-button" },
    { name: "shortcuts", opens: "[aria-label='Keyboard shortcuts']" },
  ])("in the dialog: $name", async ({ opens }) => {
    await page.locator(opens).press("Enter");
    await page.getByRole("dialog").waitFor();
    // Of all rows the head has no names before the answer.
    await expect.poll(() => page.locator("dialog[open] tr:empty").count()).toBe(0);
    expect(await violations("dialog[open]")).toEqual([]);
    await page.keyboard.press("Escape");
    await expect.poll(dialogs).toBe(0);
    await expect
      .poll(() => page.evaluate(`document.activeElement.matches(${JSON.stringify(opens)})`), {
        message: "focus is back",
      })
      .toBe(true);
  });

  it.each(["defined", "funnels"])("in the editor of %s", async (name) => {
    await tab("goals", name).click();
    await page.locator("[data-panel=goals] .one-row .link").click();
    await page.getByRole("dialog").waitFor();
    expect(await violations("dialog[open]")).toEqual([]);
    await page.keyboard.press("Escape");
    await expect.poll(dialogs).toBe(0);
  });

  it("while a panel is refused", async () => {
    fixture.data.refusal = { error: "filters: cannot be answered", code: "no_archive" };
    await tab("devices", "browser").click();
    await expect
      .poll(() => page.locator("[data-panel=devices] .panel-message").textContent())
      .toContain("archive");
    await answered();
    expect(await violations("[data-panel=devices]")).toEqual([]);
    fixture.data.refusal = undefined;
    await tab("devices", "device").click();
  });

  it("before the first event, and embedded", async () => {
    fixture.data.hasEvents = false;
    await page.goto(fixture.url);
    await page.addScriptTag({ path: AXE });
    await page.locator(".findings li").first().waitFor();
    expect(await violations()).toEqual([]);
    fixture.data.hasEvents = true;
    await page.goto(`${fixture.url}embed/?share=rvs_x`);
    await page.addScriptTag({ path: AXE });
    await page.locator("[data-panel=vitals] tbody tr").first().waitFor();
    await expect.poll(() => page.locator(".controls").isVisible()).toBe(false);
    expect(await violations()).toEqual([]);
    await page.goto(`${fixture.url}embed/`);
    await page.getByText("needs a share link").waitFor();
  });
});

it("in the system's own colours, bars, arrows and what is chosen are still seen", async () => {
  await page.emulateMedia({ forcedColors: "active" });
  await page.goto(fixture.url);
  await page.locator("[data-panel=vitals] tbody tr").first().waitFor();
  const paint = (selector: string, property: string, part = "") =>
    page.evaluate<string>(
      `getComputedStyle(document.querySelector('${selector}'), '${part}').getPropertyValue('${property}')`,
    );
  const ground = await paint("main .card", "background-color");
  expect(await paint(".bar", "background-color")).not.toBe(ground);
  expect(await paint(".light", "background-color", "::before")).not.toBe(ground);
  expect(await paint(".tile[aria-pressed=true]", "background-color", "::after")).not.toBe(ground);
  expect(await paint(".change.up", "border-left-color", "::before")).toBe("rgba(0, 0, 0, 0)");
  expect(await paint(".tabs [aria-pressed=true]", "border-bottom-color")).not.toBe(ground);
  expect(await paint(".tabs [aria-pressed=false]", "border-bottom-color")).toBe(ground);
  await page.emulateMedia({ forcedColors: null });
});

describe("by keyboard alone", () => {
  beforeEach(async () => {
    await page.goto(fixture.url);
    await page.locator("[data-panel=vitals] tbody tr").first().waitFor();
  });

  it("everything on screen is reached, in order, with a focus that is seen", async () => {
    const reachable = (await page.evaluate(
      `[...document.querySelectorAll("a[href], button, select, input, [tabindex='0'], summary")]
        .filter((node) => !node.disabled && node.checkVisibility({ visibilityProperty: true })).length`,
    )) as number;
    const seen = new Set<string>();
    const unseen: string[] = [];
    for (let i = 0; i < reachable + 20; i++) {
      await page.keyboard.press("Tab");
      const [key, outline, html] = (await page.evaluate(`(() => {
        const node = document.activeElement;
        if (!node || node === document.body) return ["", "1px", ""];
        node.dataset.walked ??= String((globalThis.walked = (globalThis.walked ?? 0) + 1));
        return [node.dataset.walked, getComputedStyle(node).outlineStyle, node.outerHTML.slice(0, 120)];
      })()`)) as [string, string, string];
      if (key === "") break;
      seen.add(key);
      if (outline === "none") unseen.push(html);
    }
    expect(unseen).toEqual([]);
    expect(seen.size).toBe(reachable);
  });

  it("a row narrows, its chip changes and goes, and the address tells each step", async () => {
    await page.locator("[data-panel=pages] .pick", { hasText: "/pricing" }).press("Enter");
    const conditions = () => new URL(page.url()).searchParams.getAll("f");
    await expect.poll(conditions).toEqual(["is,event:page,/pricing"]);
    await page.locator(".chip-text").press("Enter");
    await page.getByLabel("Condition").selectOption("is_not");
    await page.getByLabel("Values").fill("/pricing\n/docs, old");
    await page.getByRole("button", { name: "Apply" }).last().press("Enter");
    await expect.poll(conditions).toEqual(["is_not,event:page,/pricing,/docs%2C old"]);
    await expect
      .poll(() => page.locator(".chip-text").textContent())
      .toBe("Page is not /pricing, /docs, old");
    await page.reload();
    // The chip is there before it is shown, and what is not shown takes no key.
    await page.locator(".chip-text").waitFor();
    expect(await page.locator(".chip-text").textContent()).toBe("Page is not /pricing, /docs, old");
    await page.locator(".chip-remove").press("Enter");
    // The page shows a change with its next frame.
    await expect.poll(() => page.locator(".chip").count()).toBe(0);
    await expect.poll(focused, { message: "the focus has somewhere to go" }).toContain("filter");
    await page.goBack();
    await expect.poll(() => page.locator(".chip").count()).toBe(1);
    await page.goBack();
    await expect.poll(() => page.locator(".chip-text").textContent()).toBe("Page: /pricing");
    await page.goBack();
    await expect.poll(() => page.locator(".chip").count()).toBe(0);
  });

  it("all rows are searched, sorted and paged, and one is picked", async () => {
    await page.locator("[data-panel=pages] .more").press("Enter");
    const dialog = page.getByRole("dialog");
    await expect.poll(() => dialog.locator("tbody tr").count()).toBe(50);
    await dialog.getByRole("button", { name: "Next" }).press("Enter");
    await expect.poll(() => dialog.getByRole("status").textContent()).toBe("51–60 of 60");
    await dialog.getByLabel("Sort by").selectOption("event:page asc");
    // Not the last one: the page behind the dialog may still ask what the back button wanted.
    const orders = (): string[] => fixture.queries.map(({ order_by }) => JSON.stringify(order_by) ?? "");
    await expect.poll(orders).toContain('[["event:page","asc"]]');
    await dialog.getByLabel("Search").fill("page-1");
    await expect.poll(() => dialog.getByRole("status").textContent()).toBe("1–10 of 10");
    await expect
      .poll(() => dialog.getByRole("link", { name: "CSV" }).getAttribute("href"))
      .toContain("page-1");
    await dialog.getByRole("button", { name: "/archive/page-10" }).press("Enter");
    await expect.poll(() => page.locator(".chip-text").textContent()).toBe("Page: /archive/page-10");
    await page.locator(".chip-remove").press("Enter");
  });

  it("goals are defined, and stay", async () => {
    await tab("goals", "defined").press("Enter");
    await page.getByRole("button", { name: "Edit goals" }).press("Enter");
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Add" }).press("Enter");
    await page.keyboard.type("download");
    await page.keyboard.press("Enter");
    await expect.poll(dialogs).toBe(0);
    await expect
      .poll(() => fixture.data.about.goals)
      .toEqual([{ event: "signup" }, { page: "/pricing", name: "Looked at prices" }, { event: "download" }]);
    await expect.poll(() => page.locator("[data-panel=goals] .pick").count()).toBe(3);
  });
});
