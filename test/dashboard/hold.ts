/** Holds requests of a page back, to see what it shows meanwhile. */
import type { Page } from "../kit/browser.ts";

export interface Held {
  /** How many wait, or have waited. */
  count(): number;
  /** Lets all of them go on, and those that come later. */
  release(): void;
}

/** From now on requests to `path` wait whose JSON body is one to hold; others go on. */
export async function hold<Body>(page: Page, path: string, isHeld: (body: Body) => boolean): Promise<Held> {
  const released = Promise.withResolvers<void>();
  let count = 0;
  await page.route(`**${path}`, async (route) => {
    if (isHeld(route.request().postDataJSON() as Body)) {
      count++;
      await released.promise;
    }
    await route.continue();
  });
  return { count: () => count, release: () => released.resolve() };
}

/** The same of questions for the rows of a dimension. */
export const holdRows = (page: Page, dimension: string): Promise<Held> =>
  hold<{ dimensions?: string[] }>(page, "/api/v2/query", ({ dimensions }) => dimensions?.[0] === dimension);
