/**
 * `node test/campaign/screens.ts [FOLDER]`: the dashboard as a person sees it, and over time. Pictures of every view, light
 * and dark, narrow and wide, with no, one, fifty and 50,000 rows; loading by a slow server; then an hour of live
 * traffic. Ends with 1 when something is wrong, but only eyes can judge the pictures.
 */
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Data, type Fixture, startFixture } from "../dashboard/fixture.ts";
import { SUM_LAYOUT_SHIFTS } from "../dashboard/inpage.ts";
import { type Browser, launchBrowser, type Page } from "../kit/browser.ts";
import { hourLine, watchHour } from "./hour.ts";

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
  readonly media?: "print";
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
  { name: "facts", press: [".freshness"] },
  { name: "embedded", path: "embed/?share=rvs_x" },
  { name: "korean", path: "?lang=ko" },
  { name: "wall", path: "?wall" },
  { name: "printed", media: "print" },
];

/** A page that reports whatever it complains of, and whatever it asks of other hosts. */
async function open(
  browser: Browser,
  fixture: Fixture,
  { width, scheme }: Look,
  problems: string[],
): Promise<Page> {
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

/** Takes every picture into a folder while there is time, and tells how many and what was wrong on the way. */
export async function takePictures(
  browser: Browser,
  folder: string,
  hasTime: () => boolean,
): Promise<{ readonly taken: number; readonly problems: readonly string[] }> {
  const problems: string[] = [];
  let taken = 0;
  for (const rows of [0, 1, 50, 50_000]) {
    const fixture = await startFixture(busy({ rows, hasEvents: rows > 0 }));
    for (const look of LOOKS) {
      if (!hasTime()) break;
      const page = await open(browser, fixture, look, problems);
      for (const { name, path = "", press = [], media = "screen" } of rows === 50
        ? VIEWS
        : VIEWS.slice(0, 1)) {
        await page.emulateMedia({ media });
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
        taken++;
      }
      await page.context().close();
    }
    await fixture.close();
  }
  return { taken, problems };
}

/** Widths at, below and above each at which the page is laid out another way. */
const WIDTHS = [390, 620, 621, 700, 820, 940, 941, 1120, 1121, 1280, 1600, 1920];
/** Higher than the page is at any width: a shift that nobody sees is not reported. */
const WHOLE_PAGE = 5_400;
/** By which the headline comes after everything else. */
const LATE_MS = 700;

/** Loads the whole page at many widths, the headline last, and tells what moved when it came. */
async function watchLoads(browser: Browser): Promise<string[]> {
  const problems: string[] = [];
  const fixture = await startFixture(busy({ rows: 50 }));
  for (const width of WIDTHS)
    for (const path of ["", "?range=30d&lang=ko"]) {
      const page = await browser.newPage({ viewport: { width, height: WHOLE_PAGE }, locale: "en-US" });
      await page.addInitScript(SUM_LAYOUT_SHIFTS);
      await page.route("**/api/v2/query", async (route) => {
        if (route.request().postData()?.includes("bounce_rate"))
          await new Promise((resolve) => setTimeout(resolve, LATE_MS));
        await route.continue();
      });
      await page.goto(fixture.url + path);
      await page.locator(".numbers:not(.blank)").waitFor();
      await page.locator("[data-panel=vitals] tbody tr").first().waitFor();
      await page.waitForTimeout(300);
      const shift = await page.evaluate("layoutShift");
      if (shift !== 0) problems.push(`loading ${path || "/"} ${width} px wide: layout shift ${shift}`);
      await page.close();
    }
  await fixture.close();
  return problems;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2] ?? (await mkdtemp(join(tmpdir(), "rivulet-screens-")));
  await mkdir(folder, { recursive: true });
  const browser = await launchBrowser();
  const { taken, problems } = await takePictures(browser, folder, () => true);
  const moved = await watchLoads(browser);
  const hour = await watchHour(browser);
  await browser.close();
  console.log(`${taken} pictures in ${folder}`);
  console.log(`${2 * WIDTHS.length} loads by a slow server, ${moved.length} with a layout shift`);
  console.log(hourLine(hour));
  const all = [...problems, ...moved, ...hour.problems];
  for (const problem of new Set(all)) console.error(problem);
  process.exitCode = all.length > 0 ? 1 : 0;
}
