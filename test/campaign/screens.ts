/**
 * `node test/campaign/screens.ts [FOLDER]`: the dashboard as a person sees it, and over time. Pictures of every view, light
 * and dark, narrow and wide, with no, one, fifty and 50,000 rows; then an hour of live traffic. Ends with 1 when
 * something is wrong, but only eyes can judge the pictures.
 */
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Data, type Fixture, startFixture } from "../dashboard/fixture.ts";
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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2] ?? (await mkdtemp(join(tmpdir(), "rivulet-screens-")));
  await mkdir(folder, { recursive: true });
  const browser = await launchBrowser();
  const { taken, problems } = await takePictures(browser, folder, () => true);
  const hour = await watchHour(browser);
  await browser.close();
  console.log(`${taken} pictures in ${folder}`);
  console.log(hourLine(hour));
  for (const problem of new Set([...problems, ...hour.problems])) console.error(problem);
  process.exitCode = problems.length + hour.problems.length > 0 ? 1 : 0;
}
