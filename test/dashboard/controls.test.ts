/** What people press on the page, and what it says of the server: time, filters, themes, sites, goals, refusals. */
import { expect, it } from "vitest";
import type { Page } from "../kit/browser.ts";
import { patience } from "../kit/patience.ts";
import type { Data } from "./fixture.ts";
import { fixture, openTab, page, pageTests, show, textOf } from "./harness.ts";
import { SUM_LAYOUT_SHIFTS } from "./inpage.ts";

pageTests();

/** `prepare` runs before anything is asked. */
async function visit(
  path: string,
  data: Partial<Data> = {},
  prepare = async (_: Page): Promise<unknown> => undefined,
): Promise<void> {
  await openTab(data);
  await page.addInitScript(SUM_LAYOUT_SHIFTS);
  await prepare(page);
  await show(path);
}

const parameter = (name: string) => new URL(page.url()).searchParams.get(name);
const asked = (dimension: string) =>
  fixture.queries.filter(({ dimensions }) => (dimensions as string[] | undefined)?.[0] === dimension);

it("time is walked through by arrows, buckets and zoom, all in the URL, and the back button undoes it", async () => {
  await visit("?range=yesterday&interval=fortnight");
  const range = () => textOf(".range > [aria-haspopup]");
  const plot = page.locator(".chart .plot");
  await plot.locator(".line").first().waitFor({ state: "attached" });
  await expect.poll(range).toBe("Yesterday");
  expect(await textOf("p.alerts")).toBe("Not known, and left out: interval=fortnight");
  await page.keyboard.press("ArrowRight");
  await expect.poll(range).toBe("Today");
  await expect.poll(() => page.locator("p.alerts").isHidden()).toBe(true);
  await expect.poll(() => page.locator(".step").last().isDisabled()).toBe(true);
  await page.locator(".step").first().click();
  await page.keyboard.press("ArrowLeft");
  const dayBefore = new Date(Date.now() - 2 * 86_400_000).toISOString().slice(0, 10);
  await expect.poll(() => parameter("range")).toBe(`${dayBefore}..${dayBefore}`);

  await page.keyboard.press("w");
  const interval = page.locator(".choices select");
  await expect.poll(() => interval.inputValue()).toBe("day");
  expect(await interval.locator("option").allTextContents()).toEqual(["by hour", "by day"]);
  await interval.selectOption("hour");
  await expect.poll(() => parameter("interval")).toBe("hour");
  await expect.poll(() => asked("time:hour").some(({ date_range }) => date_range === "7d")).toBe(true);
  await expect.poll(() => plot.getAttribute("aria-valuemax")).toBe("167");
  await interval.selectOption("day");
  await expect.poll(() => plot.getAttribute("aria-valuemax")).toBe("6");

  // Enter opens one day; its buckets are the page's choice again.
  await plot.focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  const first = new Date(Date.now() - 6 * 86_400_000).toISOString().slice(0, 10);
  await expect.poll(() => parameter("range")).toBe(`${first}..${first}`);
  expect(parameter("interval")).toBeNull();
  await page.goBack();
  await expect.poll(range).toBe("Last 7 days");
  await expect.poll(() => plot.getAttribute("aria-valuemax")).toBe("6");

  const box = (await plot.boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.3, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 60, { steps: 4 });
  await expect
    .poll(async () => Number(await plot.locator(".stretch").getAttribute("width")))
    .toBeGreaterThan(50);
  await page.mouse.up();
  await expect.poll(() => parameter("range")).toMatch(/^\d{4}-\d\d-\d\d\.\./);
  const [from = "", to = ""] = parameter("range")!.split("..");
  expect(from >= first && to > from).toBe(true);
});

it("the comparison may be a year, and the colours are remembered", async () => {
  await visit("?range=month");
  await page.locator(".tile").first().waitFor();
  await page.locator(".compare").selectOption("year");
  await expect.poll(() => parameter("compare")).toBe("year");
  const yearAgo = new Date(Date.UTC(new Date().getUTCFullYear() - 1, new Date().getUTCMonth(), 1));
  await expect
    .poll(() => JSON.stringify(fixture.queries.map(({ date_range }) => date_range)))
    .toContain(yearAgo.toISOString().slice(0, 10));
  const paper = () => page.evaluate("getComputedStyle(document.body).backgroundColor");
  const light = await paper();
  await page.locator(".theme").click();
  await page.locator(".theme").click();
  await expect.poll(() => page.locator(".theme").getAttribute("aria-label")).toBe("Colours: dark");
  await expect.poll(paper).not.toBe(light);
  const dark = await paper();
  await page.reload();
  await expect.poll(paper).toBe(dark);
});

it("the strip shows the day with the one a week ago, what a trace tells, and what was refused", async () => {
  const trace = "1-67000000-000000000000000000000001";
  const latest = {
    at: Date.now(),
    name: "pageview",
    page: "/",
    source: "",
    country: "KR",
    device: "",
    browser: "",
  };
  const traced = { ...latest, trace };
  await visit("", { latest: [traced], late: 4 }, (opened) =>
    opened.route("**/api/v2/live*", async (route) => {
      const response = await route.fetch();
      if (response.status() === 304) return route.fulfill({ response });
      await route.fulfill({
        response,
        json: { ...(await response.json()), rejected: { bot: 3, too_old: 1 }, month_cost: 77 },
      });
    }),
  );
  await page.locator(".day .past-line[d^=M]").waitFor({ state: "attached" });
  const days = asked("time:minute").map(({ date_range }) => JSON.stringify(date_range));
  expect(days).toHaveLength(new Set(days).size);
  await page.locator(".small").focus();
  await page.keyboard.press("Home");
  await expect.poll(() => textOf(".day .readout")).toMatch(/^00:00 · \d+\.\d$/);
  await expect.poll(() => textOf(".day .past")).toMatch(/^a week ago · \d+\.\d$/);
  expect(await page.locator(".day tbody tr").count()).toBeGreaterThan(0);
  expect(await page.locator(".feed a[href]").getAttribute("href")).toBe(`/traces?id=${trace}`);

  await page.locator(".freshness").click();
  const facts = () => page.locator(".details").innerText();
  await expect.poll(facts).toMatch(/Complete to\s+\d\d:\d\d:\d\d/);
  expect(await facts()).toMatch(/Refused, last 30 minutes\s+bot 3, too old 1/);
  expect(await facts()).toMatch(/Late, last 30 minutes\s+4/);
  expect(await facts()).toMatch(/A month like the last hour\s+\$77/);
  await page.keyboard.press("Escape");
  await expect.poll(() => page.locator(".details").isVisible()).toBe(false);
  expect(await page.evaluate("layoutShift")).toBe(0);

  await page.evaluate("dispatchEvent(new Event('beforeprint'))");
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  await expect.poll(() => page.locator(".chart .table-box tbody tr").count()).toBe(24);
  await expect.poll(() => page.locator(".theme").isVisible()).toBe(false);
  await expect
    .poll(() => page.evaluate("getComputedStyle(document.body).backgroundColor"))
    .toBe("rgb(255, 255, 255)");
});

it.each([
  { status: 401, says: /^This page needs a link or key that works/ },
  { status: 403, says: /is for another site/ },
  { status: 429, says: /^Too many questions at once/ },
])("an answer of $status is said in plain words, and forgotten when it is over", async ({ status, says }) => {
  await visit("", {}, (opened) =>
    opened.route("**/api/v2/{live,query}*", (route) =>
      route.fulfill({ status, headers: { "retry-after": "1" }, json: { error: "no" } }),
    ),
  );
  await expect.poll(() => textOf(".fresh")).toMatch(says);
  await page.unrouteAll();
  await expect
    .poll(() => textOf("[data-metric=visitors] .value"), { timeout: patience(6_000) })
    .toBe("1,200");
});

it("tells since when the server is away by the server's clock, where the viewer's is an hour ahead", async () => {
  await visit("", { clock: () => Date.now() - 3_600_000 });
  // A live answer says what time the server has; others come before it, and are enough for the light.
  await expect.poll(() => textOf(".fresh")).toContain("Complete to");
  await fixture.goAway();
  // Kept as it is read: an answer that was on its way may come behind it, and takes its place until the next question.
  let since: string | undefined;
  const said = async () => {
    since = /since (\S+)\./.exec((await textOf(".fresh")) ?? "")?.[1];
    return since;
  };
  await expect.poll(said).toBeDefined();
  const age = Date.now() - Date.parse(`${new Date().toISOString().slice(0, 10)}T${since}Z`);
  expect((age + 86_400_000) % 86_400_000).toBeGreaterThan(3_590_000);
});

it("a refusal is forgotten with the next answer, though that is what was known before", async () => {
  const now = Date.now();
  await visit("", { clock: () => now });
  await expect.poll(() => textOf(".fresh")).toMatch(/^Complete/);
  const refuse = { status: 500, json: { error: "internal error" } };
  await page.route("**/api/v2/live*", (route) => route.fulfill(refuse), { times: 1 });
  await expect.poll(() => textOf(".fresh")).toMatch(/internal error/);
  await expect.poll(() => textOf(".light")).toBe("Live");
  expect(await textOf(".fresh")).toMatch(/^Complete/);
});

it("alerts that hold stand in a line each, and are said once, not with every look at them", async () => {
  const alert = { kind: "silence", state: "firing", since: 0, at: 1, value: 0, expected: 5 };
  const firing = ["a", "b"].map((rule) => ({ ...alert, rule }));
  let looks = 0;
  await visit("", {}, async (opened) => {
    await opened.addInitScript(`{
      const real = setInterval;
      window.setInterval = (run, ms, ...given) => real(run, ms / 100, ...given);
    }`);
    await opened.route("**/api/v2/alerts*", (route) => {
      looks++;
      return route.fulfill({ json: { alerts: firing } });
    });
  });
  const notice = page.locator("div.alerts");
  await notice.waitFor();
  expect((await notice.innerText()).split(/\n+/)).toHaveLength(2);
  await page.evaluate(`{
    globalThis.touched = 0;
    const notice = document.querySelector("div.alerts");
    new MutationObserver(() => touched++).observe(notice, { childList: true, subtree: true });
  }`);
  const before = looks;
  await expect.poll(() => looks).toBeGreaterThan(before + 2);
  expect(await page.evaluate("touched")).toBe(0);
});

it("the map is asked for again where a proxy answered with an error, in JSON", async () => {
  const busy = { status: 503, json: { message: "busy" } };
  await visit("", {}, (opened) =>
    opened.route("**/world.json", (route) => route.fulfill(busy), { times: 1 }),
  );
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  await page
    .locator(".world .some")
    .first()
    .waitFor({ timeout: patience(10_000) });
  expect(problems).toEqual([]);
});

it("one of many sites is found by a part of its name, in capitals or not", async () => {
  const sites = Array.from({ length: 40 }, (_, i) => ({ site_id: `Shop-${i}.example`, time_zone: "UTC" }));
  await visit("", { sites });
  await page.locator("#current", { hasText: "12" }).waitFor();
  const search = page.getByRole("combobox", { name: "Find a site" });
  await search.fill("sHop-31");
  await search.press("Enter");
  await expect.poll(() => parameter("site")).toBe("Shop-31.example");
  await expect.poll(() => search.inputValue()).toBe("Shop-31.example");
});

it("the chart's numbers as a file are by the points that the chart shows", async () => {
  await visit("?range=12mo&interval=minute");
  await page.locator(".chart .line").first().waitFor({ state: "attached" });
  await page.locator(".share-button").click();
  const href = await page.getByRole("link", { name: "The chart's numbers as CSV" }).getAttribute("href");
  expect(new URL(href!, fixture.url).searchParams.get("dimensions")).toBe('["time:month"]');
});

it("as many goals and steps as there may be are reached, within their panel", async () => {
  const goals = Array.from({ length: 30 }, (_, i) => ({ event: `goal-${i}` }));
  const steps = Array.from({ length: 8 }, (_, i) => ({ page: `/step-${i}` }));
  await visit("", { about: { goals, funnels: [{ name: "Long", steps }] } });
  const panel = page.locator("[data-panel=goals]");
  for (const [tab, lines, last] of [
    ["defined", ".pick", 29],
    ["funnels", ".funnel li", 7],
  ] as const) {
    await panel.locator(`[data-tab=${tab}]`).click();
    await panel.locator(lines).nth(last).waitFor();
    // Found and measured in one go: with the next answer the steps of a funnel are other elements.
    const [inside, around] = await panel.evaluate(
      (node, { lines, last }) => {
        const line = node.querySelectorAll(lines)[last]!;
        line.scrollIntoView({ block: "center" });
        const bottomOf = (one: typeof line): number => one.getBoundingClientRect().bottom;
        return [bottomOf(line), bottomOf(line.closest(".panel-body")!)] as const;
      },
      { lines, last },
    );
    expect(inside).toBeLessThanOrEqual(around);
  }
});

it("of all values of a property those that are chosen are marked", async () => {
  await visit("?f=is,event:props:seats,1,2,3,4,5,6,7");
  const panel = page.locator("[data-panel=goals]");
  await panel.locator("[data-tab=properties]").click();
  await panel.locator("select").selectOption("seats");
  await panel.locator(".more").click();
  const dialog = page.getByRole("dialog");
  await expect.poll(() => dialog.locator("tbody tr").count()).toBe(7);
  expect(await dialog.locator("[aria-pressed=true]").count()).toBe(7);
  expect(await dialog.locator("thead th").first().textContent()).toBe("Value");
});

it("all rows of a property whose name has spaces are sorted", async () => {
  await visit("", { about: { properties: ["seats left"] } });
  const panel = page.locator("[data-panel=goals]");
  await panel.locator("[data-tab=properties]").click();
  await panel.locator(".more").click();
  await page.getByRole("dialog").locator("select").selectOption("event:props:seats left asc");
  const orders = () => asked("event:props:seats left").map(({ order_by }) => JSON.stringify(order_by));
  await expect.poll(orders).toContain('[["event:props:seats left","asc"]]');
});

it("a property that comes while the page is open can be chosen, and what was chosen stays", async () => {
  await visit("", { about: { properties: ["plan", "seats"] } });
  const select = page.locator("[data-panel=goals] .properties select");
  await page.locator("[data-panel=goals] [data-tab=properties]").click();
  await select.selectOption("seats");
  fixture.data.about.properties = ["colour", "plan", "seats"];
  await expect
    .poll(
      () => {
        fixture.data.visitors++;
        return select.locator("option").allTextContents();
      },
      { timeout: patience(15_000) },
    )
    .toEqual(["colour", "plan", "seats"]);
  expect(await select.inputValue()).toBe("seats");
});

it("goals that another page saved meanwhile are in the editor, though nothing else came to ask for", async () => {
  await visit("");
  const panel = page.locator("[data-panel=goals]");
  await panel.locator("[data-tab=defined]").click();
  await panel.getByRole("button", { name: "Edit goals" }).waitFor();
  Object.assign(fixture.data.about, { version: 2, goals: [{ event: "elsewhere" }] });
  await panel.getByRole("button", { name: "Edit goals" }).click();
  const dialog = page.getByRole("dialog");
  const first = dialog.getByRole("textbox").first();
  await expect.poll(() => first.inputValue()).toBe("elsewhere");
  await dialog.getByRole("button", { name: "Save" }).click();
  await expect.poll(() => dialog.count()).toBe(0);
});

it("a day whose midnight the clock shows twice is called by its date, and its first two hours by their offsets", async () => {
  const clock = () => Date.UTC(2026, 10, 1, 18);
  await visit("?range=7d", { sites: [{ site_id: "havana", time_zone: "America/Havana" }], clock });
  await page.getByRole("button", { name: "Show as table" }).click();
  const times = () => page.locator(".chart tbody th").allTextContents();
  await expect.poll(async () => (await times()).at(-1)).toBe("Sun, Nov 1");
  await page.locator(".quiet-select").selectOption("hour");
  await expect.poll(times).toContain("Sun, Nov 1, 00:00 UTC-05:00");
});

it("countries are found by their names in the viewer's language, or by their codes, in a filter and among all rows", async () => {
  await visit("?lang=ko&f=contains,visit:country,DE");
  const dialog = page.getByRole("dialog");
  const filter = async (opens: string, change: (text: string) => string): Promise<void> => {
    await page.locator(opens).click();
    await dialog.locator("select").first().selectOption("visit:country");
    const values = dialog.locator("textarea");
    await values.fill(change(await values.inputValue()));
    await dialog.locator("[type=submit]").click();
  };
  await filter("[data-key=filter]", () => "대한민국\njp\nAtlantis");
  await filter(".chip:first-child .chip-text", (before) => `${before}\n한민국`);
  const conditions = () => new URL(page.url()).searchParams.getAll("f");
  await expect.poll(conditions).toEqual(["contains,visit:country,DE,KR", "is,visit:country,KR,JP,Atlantis"]);

  await page.locator("[data-panel=places] .more").click();
  await dialog.locator("[type=search]").fill("독일");
  await expect
    .poll(() => JSON.stringify(asked("visit:country").at(-1)?.filters))
    .toContain('["contains","visit:country",["DE"],{"case_sensitive":false}]');
});

it("what is kept of a period for a part of it alone says since when in the panel, and is drawn by the points that are chosen", async () => {
  const clock = () => Date.UTC(2026, 10, 23, 12);
  await visit("?range=12mo&f=is,visit:country,KR", { clock, keptFrom: Date.UTC(2026, 10, 20) });
  const said = () => textOf("[data-panel=pages] .badge");
  await expect.poll(said).toBe("archive · From Nov 20, 2026");
  expect(await page.locator(".choices select").inputValue()).toBe("month");
  await page.keyboard.press("d");
  await expect.poll(said).toBe("archive");
});
