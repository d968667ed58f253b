/**
 * `node test/campaign/screens.ts [FOLDER]`: the dashboard as a person sees it, and over time. Pictures of every view, light
 * and dark, narrow and wide, with no, one, fifty and 50,000 rows; five minutes of live traffic without a layout shift;
 * an hour of polling without more memory. Ends with 1 when something is wrong, but only eyes can judge the pictures.
 */
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Data, type Fixture, startFixture } from "../dashboard/fixture.ts";
import { SUM_LAYOUT_SHIFTS } from "../dashboard/inpage.ts";
import { type Browser, launchBrowser, type Page } from "../kit/browser.ts";

const folder = process.argv[2] ?? (await mkdtemp(join(tmpdir(), "rivulet-screens-")));
await mkdir(folder, { recursive: true });
const problems: string[] = [];

const ABOUT = {
  goals: [{ event: "signup" }, { page: "/pricing", name: "Looked at prices" }],
  funnels: [{ name: "Buy", steps: [{ page: "/" }, { page: "/pricing" }, { goal: "purchase" }] }],
};
const busy = (more: Partial<Data>): Partial<Data> => ({ revenue: 2, error: 0.012, about: ABOUT, ...more });

interface Look {
  readonly width: number;
  readonly scheme: "light" | "dark";
}
const LOOKS: readonly Look[] = [390, 1280, 1920].flatMap((width) =>
  (["light", "dark"] as const).map((scheme) => ({ width, scheme })),
);

/** What is opened or pressed before the picture. */
const VIEWS: readonly {
  readonly name: string;
  readonly path?: string;
  readonly press?: readonly string[];
}[] = [
  { name: "report" },
  { name: "filtered", path: "?range=7d&f=is,event:page,/pricing&f=is_not,visit:country,KR" },
  {
    name: "goals",
    press: ["[data-panel=goals] [data-tab=defined]", "[data-panel=places] [data-tab=country]"],
  },
  { name: "funnel", press: ["[data-panel=goals] [data-tab=funnels]"] },
  { name: "all-rows", press: ["[data-panel=pages] .more"] },
  { name: "filter", press: ["[data-key=filter]"] },
  { name: "share", press: [".share-button", "dialog .primary"] },
  {
    name: "edit-funnels",
    press: ["[data-panel=goals] [data-tab=funnels]", "[data-panel=goals] .one-row .link"],
  },
  { name: "shortcuts", press: ["[aria-label='Keyboard shortcuts']"] },
  { name: "embedded", path: "embed/?share=rvs_x" },
];

/** A page that reports whatever it complains of, and whatever it asks of other hosts. */
async function open(browser: Browser, fixture: Fixture, { width, scheme }: Look): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width, height: width < 600 ? 844 : 1080 },
    colorScheme: scheme,
    locale: "en-US",
  });
  const page = await context.newPage();
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(fixture.url)) problems.push(`asks ${request.url()}`);
  });
  return page;
}

async function shoot(browser: Browser): Promise<void> {
  for (const rows of [0, 1, 50, 50_000]) {
    const fixture = await startFixture(busy({ rows, hasEvents: rows > 0 }));
    for (const look of LOOKS) {
      const page = await open(browser, fixture, look);
      for (const { name, path = "", press = [] } of rows === 50 ? VIEWS : VIEWS.slice(0, 1)) {
        await page.goto(fixture.url + path);
        await page
          .locator(rows === 0 ? ".findings li" : "[data-panel=vitals] tbody tr")
          .first()
          .waitFor();
        for (const selector of press) {
          await page.locator(selector).first().click();
          await page.waitForTimeout(150);
        }
        await page.waitForTimeout(300);
        const wide = (await page.evaluate(
          "document.documentElement.scrollWidth - document.documentElement.clientWidth",
        )) as number;
        const title = `${name}-${rows}-${look.width}-${look.scheme}`;
        if (wide > 0) problems.push(`${title}: ${wide} px wider than the screen`);
        await page.screenshot({ path: join(folder, `${title}.png`), fullPage: press.length === 0 });
      }
      await page.context().close();
    }
    await fixture.close();
  }
}

const STEP_MS = 1_000;

/** Lets simulated seconds pass, each long enough for what it asked to be answered. */
async function pass(page: Page, seconds: number, change: (second: number) => void): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    change(second);
    await page.clock.runFor(STEP_MS);
    // Answers travel in real time, and a frame is painted in it.
    if (second % 5 === 0) await page.waitForTimeout(30);
  }
}

function traffic({ data }: Fixture): (second: number) => void {
  return (second) => {
    if (second % 3 !== 0) return;
    data.visitors = 9 + Math.round(8 * Math.sin(second / 40)) + (second % 7) * (second > 150 ? 900 : 1);
    data.reversed = second % 30 > 20;
    data.rows = 4 + (second % 9);
    data.latest = [
      {
        at: Date.now(),
        name: second % 2 ? "signup" : "pageview",
        page: `/p/${second}`,
        source: "Google",
        country: "KR",
        device: "Desktop",
        browser: "Chrome",
      },
      ...data.latest.slice(0, 19),
    ];
  };
}

async function overTime(browser: Browser): Promise<void> {
  const fixture = await startFixture(busy({ rows: 8 }));
  const page = await open(browser, fixture, { width: 1280, scheme: "light" });
  await page.addInitScript(SUM_LAYOUT_SHIFTS);
  await page.clock.install();
  await page.goto(fixture.url);
  await page.clock.runFor(3_000);
  await page.locator("[data-panel=vitals] tbody tr").first().waitFor();
  await page.evaluate("layoutShift = 0");
  await pass(page, 300, traffic(fixture));
  const shift = (await page.evaluate("layoutShift")) as number;
  console.log(`layout shift in five minutes of live traffic: ${shift}`);
  if (shift !== 0) problems.push(`layout shift ${shift}`);

  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Performance.enable");
  const heap = async (): Promise<number> => {
    await devtools.send("HeapProfiler.collectGarbage");
    const { metrics } = await devtools.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "JSHeapUsedSize")?.value ?? 0;
  };
  const before = await heap();
  await pass(page, 3_300, traffic(fixture));
  const after = await heap();
  console.log(`heap after 5 minutes: ${before} bytes, after an hour: ${after}`);
  // What a poll left behind would be 3,300 times in it; caches of the engine alone move by some hundred kilobytes.
  if (after - before > 512 * 1024) problems.push(`memory grew from ${before} to ${after} bytes`);
  await page.context().close();
  await fixture.close();
}

const browser = await launchBrowser();
await overTime(browser);
await shoot(browser);
await browser.close();
console.log(`pictures in ${folder}`);
for (const problem of new Set(problems)) console.error(problem);
process.exit(problems.length > 0 ? 1 : 0);
