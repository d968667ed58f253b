/** What the page offers to paste. */
import { expect, it } from "vitest";
import { snippets } from "../../dashboard/snippets.ts";

const codeOf = (name: string, about: Parameters<typeof snippets>[2]): string | undefined =>
  snippets("shop", "https://stats.example", about).find((one) => one.name === name)?.code;

it("names the paths that the operator chose, so that nobody pastes those that blockers know", () => {
  const about = { script_at: "/s/s.js", report_to: "/s/e" };
  expect(codeOf("HTML", about)).toBe(
    '<script defer src="https://stats.example/s/s.js" data-api="https://stats.example/s/e" data-site="shop"></script>',
  );
  expect(codeOf("npm", about)).toContain(
    'init({ site: "shop", url: "https://stats.example", script: "/s/s.js", ingest: "https://stats.example/s/e" });',
  );
  expect(codeOf("Tag Manager", about)).toContain('s.src = "https://stats.example/s/s.js"');
});

it("names the usual path, and where to report to only where that is another host", () => {
  expect(codeOf("HTML", {})).toBe(
    '<script defer src="https://stats.example/c.js" data-site="shop"></script>',
  );
  expect(codeOf("npm", { report_to: "https://api.example/live/v1/events" })).toContain(
    'url: "https://stats.example", ingest: "https://api.example/live/v1/events" });',
  );
});
