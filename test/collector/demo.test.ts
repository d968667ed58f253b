/** The demo shop under a strict policy: a visit from the first page to the sale and the signup, counted by the collector in Chromium. */
import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { decodeRivulet } from "../../processors/pipeline/decode/rivulet.ts";
import { collectorTests, open, pageviews, receiver, tab } from "./harness.ts";

const SHOP = new URL("../../dashboard/demo/", import.meta.url);

collectorTests({
  csp: "default-src 'self'",
  files: async (path) =>
    path.startsWith("/demo/")
      ? await readFile(new URL(path.slice("/demo/".length) || "index.html", SHOP)).catch(() => undefined)
      : undefined,
});

it("counts a visit to the demo shop from the first page to the sale and the signup, under a strict policy", async () => {
  const problems: string[] = [];
  tab.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  tab.on("response", (response) => response.status() >= 400 && problems.push(response.url()));

  await open("/demo/");
  await tab.click("text=Night lantern");
  await tab.click("[data-add]");
  await tab.click("text=Wool blanket");
  await tab.click("[data-add]");
  await tab.click("[data-cart]");
  // The page's script fills it in.
  await expect.poll(() => tab.textContent("[data-total]")).toBe("$138.00");
  await tab.click("[data-pay]");
  await tab.waitForURL("**/thanks.html");
  await tab.click("text=Journal");
  await tab.click("text=By the fire");
  await tab.click("text=In the snow");
  await tab.waitForSelector("text=Three blankets");
  await tab.goBack();
  await tab.waitForSelector("text=How to read in the dark");
  await tab.click("header >> text=Sign up");
  await tab.fill("#email", "someone@example.com");
  await tab.check("[value=pro]");
  await tab.click("#signup button");
  await tab.waitForURL("**/welcome.html");
  await receiver.until("the last page", () => pageviews().some(({ page }) => page.endsWith("/welcome.html")));
  await receiver.until("the signup", () => receiver.names().includes("signup"));

  expect(problems).toEqual([]);
  const path = ({ page }: { page: string }) => new URL(page).pathname.slice("/demo/".length);
  expect(
    pageviews()
      .sort((a, b) => a.t! - b.t!)
      .map(path),
  ).toEqual([
    "",
    "lantern.html",
    "blanket.html",
    "cart.html",
    "thanks.html",
    "journal.html",
    "journal-fire.html",
    "journal-snow.html",
    "journal-fire.html",
    "signup.html",
    "welcome.html",
  ]);
  const found = (name: string) => receiver.counted().filter(({ n }) => n === name);
  expect(found("add_to_cart").map(({ p }) => p)).toEqual([
    { product: "lantern", price: 42 },
    { product: "blanket", price: 96 },
  ]);
  expect(found("purchase")).toMatchObject([{ p: { items: 2 }, $: { amount: 138, currency: "USD" } }]);
  expect(found("signup")).toMatchObject([{ p: { plan: "pro" } }]);
  for (const { batch } of receiver.attempts) {
    const decoded = decodeRivulet(batch, Date.now());
    const carried = batch.q === undefined ? [] : [{ site: "demo", rejects: [] }];
    expect(decoded).toMatchObject([...carried, { site: "demo", id: batch.b, rejects: [] }]);
  }
  expect(JSON.stringify(receiver.attempts)).not.toContain("someone@");
});
