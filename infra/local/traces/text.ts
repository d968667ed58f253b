/** A trace as lines for a terminal: a bar for each span, and what is known of it below. */
import { duration, extent, factsOf, ordered, took } from "./shape.ts";
import type { Trace } from "./store.ts";

const NAME_WIDTH = 26;
const BAR_WIDTH = 40;

/** Times are UTC. A dotted line before a bar is time spent waiting in the stream. */
export function renderTrace({ id, spans, dropped }: Trace): string {
  const { startMs, totalMs } = extent(spans);
  const column = (at: number): number =>
    totalMs === 0 ? 0 : Math.min(BAR_WIDTH - 1, Math.floor(((at - startMs) / totalMs) * BAR_WIDTH));
  const lines = [`${id} began at ${new Date(startMs).toISOString()} and took ${duration(totalMs)}`, ""];
  for (const row of ordered(spans)) {
    const { span, depth, waitMs } = row;
    const [waits, from] = [column(span.startMs - waitMs), column(span.startMs)];
    const to = Math.max(from + 1, column(span.endMs ?? startMs + totalMs) + 1);
    const bar = `${" ".repeat(waits)}${".".repeat(from - waits)}${"#".repeat(to - from)}`.padEnd(BAR_WIDTH);
    const name = printable("  ".repeat(depth) + span.name)
      .slice(0, NAME_WIDTH)
      .padEnd(NAME_WIDTH);
    const outcome = span.outcome === "ok" ? "" : `  ${span.outcome}`;
    lines.push(`${name} ${bar} ${took(span).padStart(10)}${outcome}`);
    for (const [fact, value] of factsOf(row))
      lines.push(`${"  ".repeat(depth + 1)}${printable(`${fact}: ${value}`)}`);
  }
  if (dropped > 0) lines.push("", `${dropped} more spans arrived than one trace may hold.`);
  return lines.join("\n");
}

/** Without what would move a terminal's cursor: names and texts come from whoever sent the segment. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
const printable = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?");
