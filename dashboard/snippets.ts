/** What a site's owner pastes, by the way they want to count: the lines for one site and one server. */
import type { SiteAbout } from "./answers.ts";

export interface Snippet {
  /** A proper name; the same in every language. */
  readonly name: string;
  readonly code: string;
}

/** The id is escaped for where it lands: HTML, a string of JavaScript, an address. */
export function snippets(
  site: string,
  origin: string,
  { report_to, script_at }: Pick<SiteAbout, "report_to" | "script_at"> = {},
): readonly Snippet[] {
  const script = origin + (script_at ?? "/c.js");
  const reportTo = report_to && new URL(report_to, origin).href;
  const given = (text: string): string => (reportTo ? `${text}"${reportTo}"` : "");
  const html = site.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  const text = JSON.stringify(site).replaceAll("<", "\\u003c");
  return [
    {
      name: "HTML",
      code: `<script defer src="${script}"${given(" data-api=")} data-site="${html}"></script>`,
    },
    {
      name: "npm",
      code: `import { init } from "rivulet/collector";\n\ninit({ site: ${text}, url: "${origin}"${script_at ? `, script: "${script_at}"` : ""}${given(", ingest: ")} });`,
    },
    {
      name: "Tag Manager",
      code: `<script>\n  var s = document.createElement("script");\n  s.src = "${script}";\n${reportTo ? `  s.dataset.api = "${reportTo}";\n` : ""}  s.dataset.site = ${text};\n  document.head.appendChild(s);\n</script>`,
    },
    {
      name: "Pixel",
      code: `<img src="${origin}/p.gif?s=${encodeURIComponent(site)}" alt="" width="1" height="1"\n  referrerpolicy="no-referrer-when-downgrade">`,
    },
    {
      name: "Server",
      code: `curl ${origin}/api/event -H "Content-Type: application/json" \\\n  -A "$VISITORS_USER_AGENT" \\\n  -d '${JSON.stringify({ name: "pageview", domain: site, url: ["https:", "", site, ""].join("/") }).replaceAll("'", "'\\''")}'`,
    },
  ];
}
