/** Files that the gateway serves, and that no path leads out of their folder. */
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assetHandler } from "../../../infra/local/gateway/assets.ts";
import { temporaryDirectory } from "../../kit/temporary.ts";
import { type Running, raw, startGateway } from "./kit.ts";

let running: Running;
const folder = temporaryDirectory();

beforeAll(async () => {
  const site = join(folder, "site");
  await mkdir(join(site, "shop"), { recursive: true });
  await writeFile(join(folder, "secret.txt"), "secret");
  await writeFile(join(site, ".env"), "secret");
  await writeFile(join(site, "index.html"), "<!doctype html>home");
  await writeFile(join(site, "app.js"), "1");
  await writeFile(join(site, "한글.txt"), "text");
  await writeFile(join(site, "shop", "index.html"), "<!doctype html>shop");
  await symlink(join(folder, "secret.txt"), join(site, "link.txt"));
  await symlink(folder, join(site, "up"));
  running = await startGateway();
  running.gateway.static("/", site);
  running.gateway.static("/demo/", join(site, "shop"));
  running.gateway.route("GET", "/c.js", assetHandler("c.js", "2", { maxAgeSeconds: 60, anyOrigin: true }), {
    anyHost: true,
  });
});
afterAll(async () => {
  await running.gateway.close();
});

describe("static files", () => {
  it.each([
    ["/", "text/html; charset=utf-8", "<!doctype html>home"],
    ["/app.js", "text/javascript; charset=utf-8", "1"],
    ["/shop/", "text/html; charset=utf-8", "<!doctype html>shop"],
    ["/%ED%95%9C%EA%B8%80.txt", "text/plain; charset=utf-8", "text"],
  ])("serves %s as %s", async (path, type, body) => {
    const response = await fetch(running.url + path);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, type]);
    expect(await response.text()).toBe(body);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  });

  it("leads to the folder's own address, so that relative links work", async () => {
    for (const path of ["/shop", "/demo"]) {
      const response = await fetch(running.url + path, { redirect: "manual" });
      expect([response.status, response.headers.get("location")]).toEqual([308, `${path}/`]);
    }
  });

  it("sends a file once, and again only when it changed", async () => {
    const file = join(folder, "site", "changing.js");
    await writeFile(file, "old");
    const first = await fetch(`${running.url}/changing.js`);
    const tag = first.headers.get("etag") ?? "";
    expect((await fetch(`${running.url}/changing.js`, { headers: { "if-none-match": tag } })).status).toBe(
      304,
    );
    await writeFile(file, "newer");
    const second = await fetch(`${running.url}/changing.js`, { headers: { "if-none-match": tag } });
    expect([second.status, await second.text()]).toEqual([200, "newer"]);
  });

  it.each([
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/shop/../../secret.txt",
    "/shop/%2e%2e%2f%2e%2e%2fsecret.txt",
    "//etc/passwd",
    "/%2fetc/passwd",
    "/..\\secret.txt",
    "/..%5csecret.txt",
    "/index.html%00.js",
    "/%zz",
    "/link.txt",
    "/up/secret.txt",
    "/.env",
    "/nothing.txt",
  ])("lets nothing out at %s", async (path) => {
    // fetch would tidy the path before it sends it.
    const answer = await raw(
      running.port,
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 4/);
    expect(answer).not.toContain("root:");
    expect(answer.replaceAll("secret.txt", "")).not.toContain("secret");
  });

  it("leaves the API's paths to the API, also when they do not exist", async () => {
    const response = await fetch(`${running.url}/api/nothing`);
    expect([response.status, response.headers.get("content-type")]).toEqual([404, "application/json"]);
  });

  it("lets any site embed what is made for that", async () => {
    const response = await fetch(`${running.url}/c.js`);
    expect(response.headers.get("cross-origin-resource-policy")).toBe("cross-origin");
    expect(response.headers.get("cache-control")).toBe("public, max-age=60");
  });
});
