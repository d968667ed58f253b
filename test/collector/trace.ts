/** What a trace of Chromium says of one script: how long the main thread ran it, and what it made the browser do meanwhile. */
import type { Browser, Page } from "../kit/browser.ts";

/** One complete ("X") event, times in microseconds. https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU */
interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  /** Of `dur`, the time that the thread ran: not what other programs took from it. */
  readonly tdur?: number;
  readonly args: { readonly data?: { readonly url?: string } };
}

/** Where the browser enters a script. Whatever the script calls happens inside, other scripts included. */
const ENTRIES: ReadonlySet<string> = new Set(["EvaluateScript", "FunctionCall"]);
/** The browser only makes style or layout while a script runs if the script asks for what depends on it. */
const REFLOWS: ReadonlySet<string> = new Set(["UpdateLayoutTree", "Layout"]);
/** https://www.w3.org/TR/longtasks-1/#long-task */
const LONG_TASK_MS = 50;

export interface Cost {
  /** Processor time of the main thread inside the script, all entries together. */
  readonly ms: number;
  /** Of `ms`, what evaluating the script took: the rest is in tasks of their own. */
  readonly evaluationMs: number;
  readonly entries: number;
  /** Style and layout made while it ran. */
  readonly reflows: readonly string[];
  /** Tasks of more than 50 ms that ran it, and how long each ran it. */
  readonly longTasks: readonly { readonly taskMs: number; readonly ownMs: number }[];
}

/** Traces `run` and sums what the script at `url` cost in it. */
export async function costOf(
  browser: Browser,
  tab: Page,
  url: string,
  run: () => Promise<unknown>,
): Promise<Cost> {
  await browser.startTracing(tab, {
    categories: ["devtools.timeline", "disabled-by-default-devtools.timeline", "toplevel"],
  });
  await run();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as {
    traceEvents: TraceEvent[];
  };
  const complete = traceEvents.filter(({ ph, dur }) => ph === "X" && dur !== undefined);
  const own = outermost(complete.filter(({ name, args }) => ENTRIES.has(name) && args.data?.url === url));
  const inOwn = complete.filter((event) => own.some((entry) => contains(entry, event)));
  const tasks = complete.filter(({ name, dur }) => name === "RunTask" && dur! > LONG_TASK_MS * 1_000);
  return {
    ms: total(own),
    evaluationMs: total(own.filter(({ name }) => name === "EvaluateScript")),
    entries: own.length,
    reflows: inOwn.filter(({ name }) => REFLOWS.has(name)).map(({ name }) => name),
    longTasks: tasks
      .map((task) => ({
        taskMs: task.dur! / 1_000,
        ownMs: total(own.filter((entry) => contains(task, entry))),
      }))
      .filter(({ ownMs }) => ownMs > 0),
  };
}

const total = (events: readonly TraceEvent[]): number =>
  events.reduce((sum, { dur, tdur }) => sum + (tdur ?? dur!) / 1_000, 0);

const contains = (outer: TraceEvent, inner: TraceEvent): boolean =>
  outer !== inner &&
  outer.pid === inner.pid &&
  outer.tid === inner.tid &&
  outer.ts <= inner.ts &&
  inner.ts + inner.dur! <= outer.ts + outer.dur!;

const outermost = (events: readonly TraceEvent[]): TraceEvent[] =>
  events.filter((event) => !events.some((other) => contains(other, event)));

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
