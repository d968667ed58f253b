/** The page in Chromium in front of a fixture, for tests of what it shows: what each file calls once, and what its tests share. */
import { afterAll, afterEach, beforeAll } from "vitest";
import { type Browser, closeContext, closePages, type Page, STILL, sharedBrowser } from "../kit/browser.ts";
import { type Data, type Fixture, startFixture } from "./fixture.ts";

let browser: Browser;
export let fixture: Fixture;
export let page: Page;

/** Registers what happens before and after each test of a file. Each has to open a tab. */
export function pageTests(): void {
  beforeAll(async () => {
    browser = await sharedBrowser();
  });
  afterEach(async () => {
    await closeContext(page.context());
    await fixture.close();
  });
  afterAll(() => closePages(browser));
}

/** A tab with nothing in it yet, and what it will ask. */
export async function openTab(
  data: Partial<Data> = {},
  viewport = { width: 1280, height: 900 },
): Promise<void> {
  fixture = await startFixture(data);
  page = await browser.newPage({ ...STILL, viewport, locale: "en-US" });
}

/** Shows the page at what stands in its address behind the host. */
export const show = (path = ""): Promise<unknown> => page.goto(fixture.url + path);

export const textOf = (selector: string): Promise<string | null> =>
  page.locator(selector).first().textContent();
