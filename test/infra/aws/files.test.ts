/** What the site serves by path. */
import { beforeAll, describe, expect, it } from "vitest";
import { siteFiles } from "../../../infra/aws/files.ts";
import { isOwnPath } from "../../../infra/ownpath.ts";

describe("the site's files", () => {
  let files: Awaited<ReturnType<typeof siteFiles>>;
  let withDemo: Awaited<ReturnType<typeof siteFiles>>;
  beforeAll(async () => {
    [files, withDemo] = await Promise.all([
      siteFiles({ demo: false, login: false }),
      siteFiles({ demo: true, login: false }),
    ]);
  });

  it("are the dashboard and the collector, without the demo shop where nobody counts it", () => {
    const paths = [...files.keys()];
    expect(paths).toEqual(
      expect.arrayContaining(["/", "/app.js", "/app.css", "/c.js", "/rage.js", "/c/rage.js"]),
    );
    expect(paths.filter((path) => /^\/c\/[\da-f]{16}\.js$/.test(path)).length).toBe(5);
    expect(paths.filter((path) => path.startsWith("/demo"))).toEqual([]);
  });

  it("hold the API document that readers get on one machine, without what only API Gateway needs", () => {
    const { body } = files.get("/api/openapi.json")!;
    const text = new TextDecoder().decode(body);
    expect(Object.keys(JSON.parse(text).paths)).toEqual(
      expect.arrayContaining(["/api/v2/query", "/api/v2/export.csv", "/v1/events"]),
    );
    expect(text).not.toMatch(/x-amazon|arn:/);
  });

  it("hold the whole demo shop where the site `demo` is counted", () => {
    const page = new TextDecoder().decode(withDemo.get("/demo/index.html")!.body);
    const links = [...page.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, link]) => link!);
    expect(links).toContain("/c.js");
    for (const link of links) {
      const { pathname } = new URL(link, "https://d111.cloudfront.net/demo/index.html");
      const path = withDemo.has(pathname) ? pathname : `${pathname}index.html`;
      expect(withDemo.get(path)?.body.length, link).toBeGreaterThan(0);
    }
  });

  it("are none that an operator's own path may take the place of, in the root and below", () => {
    for (const path of ["/index.html", "/p.gif", ...withDemo.keys()])
      expect(isOwnPath(path), path).toBe(false);
    for (const path of ["/s.js", "/apps.js", "/stats/app.js", "/stats/c.js"])
      expect(isOwnPath(path), path).toBe(true);
  });

  it("run under the pages' security policy: no inline script, no inline style", () => {
    for (const [path, { body }] of withDemo) {
      if (!path.endsWith("/") && !path.endsWith(".html")) continue;
      const page = new TextDecoder().decode(body);
      expect(page, path).not.toMatch(/<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son\w+=/i);
    }
  });
});
