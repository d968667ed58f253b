/** A tab of Chromium in front of a receiver, for tests of the collector: what each file calls once, and what its tests share. */
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { buildCollector } from "../../collector/build.ts";
import { type Browser, type BrowserContext, closePages, type Page, sharedBrowser } from "../kit/browser.ts";
import { page, type Receiver, type ReceiverOptions, startReceiver } from "./receiver.ts";

let browser: Browser;
/** The script, as it is served. */
export let collector: string;
export let receiver: Receiver;
export let context: BrowserContext;
export let tab: Page;
let problems: string[];

/** Registers what happens before and after each test of a file. A page that throws fails its test. `site` is what the receiver serves besides. */
export function collectorTests(site: Omit<ReceiverOptions, "collector"> = {}): void {
  beforeAll(async () => {
    const [launched, { code }] = await Promise.all([sharedBrowser(), buildCollector()]);
    browser = launched;
    collector = code;
    receiver = await startReceiver({ ...site, collector });
  });
  afterAll(async () => {
    await closePages(browser);
    await receiver?.close();
  });
  beforeEach(async () => {
    receiver.reset();
    problems = [];
    context = await browser.newContext({ locale: "en-US" });
    context.on("weberror", (error) => problems.push(String(error.error())));
    await openTab();
    receiver.pages.set("/", page('<a id="next" href="/next">next</a><button>b</button>'));
    receiver.pages.set("/next", page("next"));
  });
  afterEach(async () => {
    await context.close();
    expect(problems).toEqual([]);
  });
}

/** Lets the timers of pages run ten times as fast, so that a test need not wait for the real pauses between attempts. */
export const hurry = () =>
  context.addInitScript(`{
    const real = setTimeout;
    window.setTimeout = (run, ms, ...given) => real(run, ms / 10, ...given);
  }`);
/** From now on `tab` is a new one, beside what is open. */
export async function openTab(): Promise<void> {
  tab = await context.newPage();
}
export const open = (path = "/") => tab.goto(receiver.origin + path);
export const pageviews = () => receiver.counted().filter(({ n }) => n === "pageview");
export const count = (name: string) => receiver.names().filter((n) => n === name).length;
