/** `rivulet snippet`: what a site's owner pastes. */
import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { buildCollector } from "../../../collector/build.ts";
import { snippets } from "../../../infra/local/snippet.ts";
import { runHere } from "../../kit/command.ts";
import { runCommand } from "../../kit/server.ts";

it("prints the tag, the tag with the hash of the very file, the policy and the image", async () => {
  const { code, output } = await runCommand([
    "snippet",
    "--site",
    `a"b.example`,
    "--url",
    "https://stats.example.com/",
  ]);
  expect(code).toBe(0);
  const collector = (await buildCollector()).code;
  const integrity = `sha384-${createHash("sha384").update(collector).digest("base64")}`;
  const lines = output.split("\n").map((line) => line.trim());
  expect(lines).toContain(
    `<script defer src="https://stats.example.com/c.js" data-site="a&#34;b.example"></script>`,
  );
  expect(lines.find((line) => line.includes("integrity"))).toContain(
    `integrity="${integrity}" crossorigin="anonymous"`,
  );
  expect(lines).toContain(
    "script-src https://stats.example.com; connect-src https://stats.example.com; img-src https://stats.example.com",
  );
  expect(output).toContain(`src="https://stats.example.com/p.gif?s=a%22b.example"`);
});

it.each<[string, string, RegExp]>([
  ["no site", "a, b", /site id "a, b"/],
  ["no address", "stats.example.com", /--url stats\.example\.com: not an address/],
  ["no address of a web server", "ftp://example.com", /not an address/],
])("refuses what is %s", async (what, value, message) => {
  const wanted = { site: "a", url: "https://example.com", [what === "no site" ? "site" : "url"]: value };
  await expect(snippets(wanted)).rejects.toThrow(message);
});

it("refuses an address with a path, below which the collector would not report", async () => {
  const { code, output } = await runHere(["snippet", "--site", "a", "--url", "https://example.com/stats"]);
  expect([code, output.includes("an address without a path")]).toEqual([1, true]);
});

it.each(["stats", "/api/x", "/v1/events", "/c/x.js", "/app.js", "/a b"])(
  "refuses %j as a path of one's own",
  async (path) => {
    const { code, output } = await runHere(["start", "--script-path", path]);
    expect([code, output.includes("a path such as")]).toEqual([1, true]);
  },
);
