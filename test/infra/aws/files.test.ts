import { describe, expect, it } from "vitest";
import { siteFiles } from "../../../infra/aws/files.ts";

describe("the site's files", () => {
  it("are the dashboard and the collector, without the demo shop where nobody counts it", async () => {
    const paths = [...(await siteFiles({ demo: false, login: false })).keys()];
    expect(paths).toEqual(
      expect.arrayContaining(["/", "/app.js", "/app.css", "/c.js", "/rage.js", "/c/rage.js"]),
    );
    expect(paths.filter((path) => /^\/c\/[\da-f]{16}\.js$/.test(path)).length).toBe(5);
    expect(paths.filter((path) => path.startsWith("/demo"))).toEqual([]);
  });

  it("hold the API document that readers get on one machine, without what only API Gateway needs", async () => {
    const { body } = (await siteFiles({ demo: false, login: false })).get("/api/openapi.json")!;
    const text = new TextDecoder().decode(body);
    expect(Object.keys(JSON.parse(text).paths)).toEqual(
      expect.arrayContaining(["/api/v2/query", "/api/v2/export.csv", "/v1/events"]),
    );
    expect(text).not.toMatch(/x-amazon|arn:/);
  });

  it("hold the whole demo shop where the site `demo` is counted", async () => {
    const files = await siteFiles({ demo: true, login: false });
    const page = new TextDecoder().decode(files.get("/demo/index.html")!.body);
    const links = [...page.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, link]) => link!);
    expect(links).toContain("/c.js");
    for (const link of links) {
      const { pathname } = new URL(link, "https://d111.cloudfront.net/demo/index.html");
      const path = files.has(pathname) ? pathname : `${pathname}index.html`;
      expect(files.get(path)?.body.length, link).toBeGreaterThan(0);
    }
  });

  it("run under the pages' security policy: no inline script, no inline style", async () => {
    for (const [path, { body }] of await siteFiles({ demo: true, login: false })) {
      if (!path.endsWith("/") && !path.endsWith(".html")) continue;
      const page = new TextDecoder().decode(body);
      expect(page, path).not.toMatch(/<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son\w+=/i);
    }
  });
});
