/** What a trace looks like, however it is drawn: its rows, when they begin and what they took. Knows no page and no terminal. */
import type { Span } from "./store.ts";

/** One span in its place. */
export interface Row {
  readonly span: Span;
  /** Callers above it. */
  readonly depth: number;
  /** Between the end of its caller and its begin. */
  readonly waitMs: number;
}

export interface Extent {
  readonly startMs: number;
  readonly totalMs: number;
}

export function extent(spans: readonly Span[]): Extent {
  const startMs = Math.min(...spans.map((span) => span.startMs));
  const endMs = Math.max(...spans.map((span) => span.endMs ?? span.startMs));
  return { startMs, totalMs: endMs - startMs };
}

/** Callers before those they called, each level by its beginning. A parent that is unknown, or a loop, makes a root. */
export function ordered(spans: readonly Span[]): Row[] {
  const byId = new Map(spans.map((span) => [span.id, span]));
  const children = Map.groupBy(spans, ({ parentId }) => (byId.has(parentId) ? parentId : ""));
  const rows: Row[] = [];
  const seen = new Set<string>();
  const visit = (level: readonly Span[], depth: number): void => {
    for (const span of level.toSorted((a, b) => a.startMs - b.startMs)) {
      if (seen.has(span.id)) continue;
      seen.add(span.id);
      // Work that begins after its caller has ended was waiting somewhere between them: here, in the stream.
      const calledUntil = byId.get(span.parentId)?.endMs;
      const waitMs = calledUntil === undefined ? 0 : Math.max(0, span.startMs - calledUntil);
      rows.push({ span, depth, waitMs });
      visit(children.get(span.id) ?? [], depth + 1);
    }
  };
  visit(children.get("") ?? [], 0);
  visit(spans, 0); // whatever a loop of parents has hidden
  return rows;
}

/** What is known of a span besides its times. */
export function factsOf({ span, waitMs }: Row): [name: string, value: string][] {
  const facts: [string, string][] = [...span.annotations];
  if (span.http !== undefined)
    facts.unshift(["request", `${span.http.method} ${span.http.url} -> ${span.http.status}`]);
  if (waitMs > 0) facts.push(["waited in the stream", duration(waitMs)]);
  if (span.message !== "") facts.push(["error", span.message]);
  return facts;
}

export const took = (span: Span): string =>
  span.endMs === undefined ? "in progress" : duration(span.endMs - span.startMs);

/** Milliseconds with three digits that matter, or seconds from one second up. */
export function duration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms.toFixed(ms >= 100 ? 0 : ms >= 10 ? 1 : 2)} ms`;
}
