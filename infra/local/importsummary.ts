/** What `rivulet import` says in the end. Results in, text out. */
import type { ImportResult } from "../../processors/pipeline/import/importer.ts";
import type { ImportedTable } from "./importtotals.ts";

const number = (value: number): string => value.toLocaleString("en");
const counted = (value: number, one: string, many = `${one}s`): string =>
  `${number(value)} ${value === 1 ? one : many}`;

/** Of fewer, the time is that of starting and ending, and tells nothing of the next file. */
const WORTH_A_RATE = 1_000;

/** Of a file of events. `seconds`: how long this run took. */
export function summaryOf(
  file: string,
  site: string,
  { entry, events, from, knownAs, keptSince }: ImportResult,
  seconds: number,
): string {
  const before = knownAs === undefined ? "" : `, those of before in the report of ${knownAs}`;
  const { counts, lines } = entry;
  const skipped = Object.entries(counts.skipped);
  const left = skipped.reduce((sum, [, count]) => sum + count, 0);
  const reasons = skipped.map(([reason, count]) => `${reason} ${number(count)}`).join(", ");
  return [
    headline(file, site, { entry, events, from }, seconds),
    `  lines      ${number(lines)}`,
    `  counted    ${number(counts.events - counts.bots)}`,
    `  bots       ${number(counts.bots)}${counts.bots > 0 ? "  (set apart: counted as rejects, not as visitors)" : ""}`,
    ...(counts.unkept === undefined
      ? []
      : [
          `  not shown  ${number(counts.unkept)}  (of these: ${site} keeps nothing from before ${keptSince ?? "then"})`,
        ]),
    `  left out   ${number(left)}${left > 0 ? `  (${reasons})` : ""}`,
    `  bad        ${number(counts.bad)}${counts.bad > 0 ? `  (each with its line and reason in ${file}.report.ndjson${before})` : ""}`,
  ].join("\n");
}

function headline(
  file: string,
  site: string,
  { entry, events, from }: Pick<ImportResult, "entry" | "events" | "from">,
  seconds: number,
): string {
  const { position, counts } = entry;
  if (from > 0 && from === position)
    return `${file} has been imported into ${site} before: nothing is counted twice. What came of it then:`;
  const goesOn = from > 0 ? "; what was imported before is not counted again" : "";
  if (counts.events === 0 && counts.bad > 0)
    return `${file}: no event of ${site}: none of its lines could be used. Is it of another --format?`;
  if (events === 0) return `${file}: no ${from > 0 ? "new " : ""}event of ${site}${goesOn}`;
  const rate =
    events < WORTH_A_RATE
      ? ""
      : ` in ${seconds.toFixed(1)} s (${number(Math.round(events / seconds))} a second)`;
  return `${file}: ${counted(events, from > 0 ? "new event" : "event")} of ${site}${rate}${goesOn}`;
}

/** Of tables of totals. */
export function totalsSummary(file: string, site: string, tables: readonly ImportedTable[]): string {
  const isBad = tables.some(({ bad }) => bad.length > 0);
  const width = Math.max(...tables.map(({ name }) => name.length));
  const lines = tables.map(({ name, rows, counted: kept, days, bad }) => {
    const left = [
      days.known > 0 ? `${counted(days.known, "day")} counted before` : "",
      days.taken > 0 ? `${counted(days.taken, "day")} left alone, of which events are counted` : "",
      days.open > 0 ? `${counted(days.open, "day that is not over", "days that are not over")}` : "",
      days.unkept > 0 ? `${counted(days.unkept, "day")} left alone, older than what the site keeps` : "",
      bad.length > 0 ? counted(bad.length, "bad row") : "",
    ].filter(Boolean);
    const told = `${number(kept)} of ${counted(rows, "row")}, ${counted(days.counted, "day")}`;
    return `  ${name.padEnd(width)}  ${told}${left.length > 0 ? `; ${left.join(", ")}` : ""}`;
  });
  return [
    `${file}: totals of ${site}`,
    ...lines,
    ...(isBad ? [`bad rows are named in ${file}.report.ndjson`] : []),
  ].join("\n");
}
