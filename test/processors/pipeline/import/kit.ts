/** What the tests of imports share: sources out of text, a stream and a store in memory, and a log that chance wrote. */
import { createHash } from "node:crypto";
import type { Digest } from "../../../../processors/pipeline/import/chunks.ts";
import type { TextFormat } from "../../../../processors/pipeline/import/detect.ts";
import { parserOf } from "../../../../processors/pipeline/import/detect.ts";
import { type ImportRow, textChunk } from "../../../../processors/pipeline/import/row.ts";
import type { Mapping } from "../../../../processors/pipeline/import/table.ts";
import type { Random } from "../../../kit/random.ts";

export const sha256 = (): Digest => {
  const hash = createHash("sha256");
  return { update: (bytes) => void hash.update(bytes), current: () => hash.copy().digest("hex") };
};

/** The text as a source gives it, in portions of odd sizes. */
export const bytesOf = (text: string, portion = 1_000): (() => AsyncIterable<Uint8Array>) =>
  async function* () {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length; at += portion) yield bytes.subarray(at, at + portion);
  };

/** What a parser makes of a text: rows, lines left out by reason, and lines that could not be used. */
export function parsed(
  format: TextFormat,
  text: string,
  { all = false, mapping }: { all?: boolean; mapping?: Mapping } = {},
): { rows: ImportRow[]; skipped: string[]; bad: [number, string][] } {
  const found = { rows: [] as ImportRow[], skipped: [] as string[], bad: [] as [number, string][] };
  const parse = parserOf(format, text, { all, hostname: "example.com" }, mapping);
  parse(textChunk(new TextEncoder().encode(text), 1), {
    row: (_, row) => found.rows.push(row),
    skip: (reason) => found.skipped.push(reason),
    bad: (line, reason) => found.bad.push([line, reason]),
  });
  return found;
}

const AGENTS = [
  ...Array.from(
    { length: 40 },
    (_, i) =>
      `Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${100 + i}.0.0.0 Safari/537.36`,
  ),
  ...Array.from(
    { length: 20 },
    (_, i) => `Mozilla/5.0 (X11; Linux x86_64; rv:${110 + i}.0) Gecko/20100101 Firefox/${110 + i}.0`,
  ),
  "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
  "curl/8.5.0",
  "-",
];
const REFERRERS = [
  "-",
  "-",
  "https://www.google.com/",
  "https://news.ycombinator.com/item?id=1",
  "https://blog.example.org/a",
];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (value: number): string => String(value).padStart(2, "0");

/** Lines of the combined format over two days, with robots, assets, other methods and statuses, IPv6, quotes and broken lines. */
export function randomLog(random: Random, lines: number, from = Date.UTC(2026, 2, 10)): string {
  const written: string[] = [];
  for (let i = 0; i < lines; i++) {
    const at = new Date(from + Math.floor((i * 2 * 86_400_000) / lines));
    const person = random.below(400);
    const ip = person % 10 === 0 ? `2001:db8::${person.toString(16)}` : `192.0.2.${person % 250}`;
    const time = `${two(at.getUTCDate())}/${MONTHS[at.getUTCMonth()]}/${at.getUTCFullYear()}:${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} +0000`;
    const page = random.chance(0.25)
      ? ["/style.css", "/logo.PNG?v=3", "/app.js", "/favicon.ico"][random.below(4)]
      : ["/", "/about", `/post/${random.below(30)}`, "/feed.xml", `/search?q=${random.below(9)}`][
          random.below(5)
        ];
    const method = random.chance(0.05) ? "POST" : "GET";
    const status = ["200", "200", "200", "304", "404", "301", "206"][random.below(7)];
    const agent = person % 7 === 0 ? `Odd \\"quoted\\" Firefox/${person}` : AGENTS[person % AGENTS.length];
    if (random.chance(0.002)) written.push("this is no line of a log");
    written.push(
      `${ip} - - [${time}] "${method} ${page} HTTP/1.1" ${status} ${random.below(90_000)} "${REFERRERS[random.below(REFERRERS.length)]}" "${agent}"`,
    );
  }
  return `${written.join("\n")}\n`;
}
