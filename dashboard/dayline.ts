/** How many were here at the same time, over the site's day, with the same day a week ago behind it. Asks for both days once. */
import type { LiveAnswer, LiveMinute } from "./answers.ts";
import { query } from "./api.ts";
import { beside, daysAt, isKept, means, STEP_MINUTES } from "./day.ts";
import { el, fillTable, setAttribute, setText } from "./dom.ts";
import { numberOf } from "./format.ts";
import { fill } from "./i18n/strings.ts";
import type { Frame } from "./path.ts";
import type { Period } from "./period.ts";
import { plotter } from "./plot.ts";
import { readable } from "./reading.ts";
import { axisTicks, type Points } from "./scale.ts";
import type { View } from "./view.ts";
import { MINUTE, offsetIfTwice, parseIso, printIso } from "./wallclock.ts";

const HEIGHT = 140;
const NEVER: Period = { start: 0, end: 0 };
const STEPS_AN_HOUR = 60 / STEP_MINUTES;

export interface DayLine {
  readonly node: HTMLElement;
  /** Forgets the site shown so far. */
  use(siteId: string, timeZone: string, view: View): void;
  /** Takes the newest minutes; asks for the day when they do not join on to what is known. */
  update(answer: LiveAnswer): void;
}

/** `failed` runs with what a question for a day came to. */
export function dayLine(first: View, failed: (error: unknown) => void): DayLine {
  const { strings } = first;
  let view = first;
  let site = { id: "", timeZone: "UTC" };
  let days: ReturnType<typeof daysAt> = { today: NEVER, before: NEVER };
  let today = new Map<number, number>();
  let before: Points | undefined;
  let knownUntil = 0;
  let asking: AbortController | undefined;
  let shown: { values: Points; before: Points | undefined; openFrom: number } | undefined;
  let space: Frame | undefined;
  let width = 0;

  const drawing = plotter();
  const plot = el("div", { class: "plot small", "aria-label": strings.dayTitle }, drawing.node);
  const title = el("span", {}, strings.dayTitle);
  const readout = el("span", { class: "readout" });
  const lastWeek = el("span", { class: "key past" }, strings.lastWeek);
  lastWeek.hidden = true;
  const table = el("table", { class: "visually-hidden" });
  const node = el("div", { class: "day" }, el("h2", {}, title, readout, lastWeek), plot, table);

  const timeOf = (i: number): string => {
    const at = days.today.start + i * STEP_MINUTES * MINUTE;
    return view.format.minute(at) + offsetIfTwice(at, site.timeZone);
  };
  const number = (value: number | undefined): string => (value === undefined ? "–" : view.format.rate(value));

  const reading = readable(plot, {
    count: () => shown?.values.length ?? 0,
    indexAt: (x) => space?.indexAt(x),
    start: () => shown?.values.findLastIndex((value) => value !== undefined) ?? 0,
    read(i) {
      drawing.mark(i);
      // There is room for the title or for the numbers.
      title.hidden = i !== undefined;
      if (i === undefined || !shown) {
        setText(readout, "");
        setText(lastWeek, strings.lastWeek);
        return undefined;
      }
      const values = { time: timeOf(i), now: number(shown.values[i]), before: number(shown.before?.[i]) };
      setText(readout, `${values.time} · ${values.now}`);
      setText(lastWeek, `${strings.lastWeek} · ${values.before}`);
      return fill(strings.dayRead, values);
    },
  });

  function draw(): void {
    if (!shown || width === 0) return;
    const most = Math.max(...[...shown.values, ...(shown.before ?? [])].map((value) => value ?? 0));
    space = drawing.paint({
      width,
      height: HEIGHT,
      values: shown.values,
      past: shown.before,
      openFrom: shown.openFrom,
      ticks: axisTicks(most, "whole", 2),
      yLabel: (value) => view.format.axis("visitors", value),
      xLabel: timeOf,
      labelSteps: [6 * STEPS_AN_HOUR, 12 * STEPS_AN_HOUR],
      labelOffset: 0,
    });
  }

  function show(now: number, completeUntil: number): void {
    const values = means(today, days.today, now);
    const open = days.today.start;
    const openFrom = Math.max(0, Math.floor((completeUntil - open) / (STEP_MINUTES * MINUTE)));
    shown = { values, before, openFrom };
    draw();
    reading.refresh(true);
    lastWeek.hidden = before === undefined;
    const head = [strings.time, strings.visitors, strings.lastWeek];
    const rows = values.flatMap((value, i) =>
      i % STEPS_AN_HOUR === 0 ? [[timeOf(i), number(value), number(before?.[i])]] : [],
    );
    fillTable(table, strings.dayTitle, head, rows);
  }

  async function ask(period: Period, signal: AbortSignal): Promise<Map<number, number>> {
    const { id, timeZone } = site;
    const answer = await query(
      {
        site_id: id,
        metrics: ["visitors"],
        dimensions: ["time:minute"],
        date_range: [printIso(period.start, timeZone), printIso(period.end, timeZone)],
      },
      signal,
    );
    return new Map(
      answer.results.map(({ metrics: [value], dimensions: [label = ""] }) => [
        parseIso(label, timeZone),
        numberOf(value) ?? 0,
      ]),
    );
  }

  /** Both days at once; what the live answers bring meanwhile is newer and wins. */
  async function load(answer: LiveAnswer): Promise<void> {
    const turn = new AbortController();
    asking?.abort();
    asking = turn;
    days = daysAt(answer.now, site.timeZone);
    today = new Map();
    before = undefined;
    const isShort = answer.now - days.today.start < 2 * MINUTE;
    const until = Math.floor(answer.now / MINUTE) * MINUTE;
    try {
      const [now, past] = await Promise.all([
        isShort ? new Map<number, number>() : ask({ start: days.today.start, end: until }, turn.signal),
        isKept(days.before, answer.now) ? ask(days.before, turn.signal) : new Map<number, number>(),
      ]);
      if (turn.signal.aborted) return;
      today = new Map([...now, ...today]);
      before =
        past.size > 0 ? beside(means(past, days.before, days.before.end), days, site.timeZone) : undefined;
      show(answer.now, answer.complete_until);
    } catch (error) {
      if (turn.signal.aborted) return;
      knownUntil = 0;
      failed(error);
    }
  }

  function take(minutes: readonly LiveMinute[]): void {
    for (const { start, visitors } of minutes) today.set(start, visitors);
    knownUntil = (minutes.at(-1)?.start ?? 0) + MINUTE;
  }

  new ResizeObserver(() => {
    width = plot.clientWidth;
    draw();
  }).observe(plot);

  return {
    node,
    use(id, timeZone, next) {
      site = { id, timeZone };
      view = next;
      asking?.abort();
      knownUntil = 0;
      shown = undefined;
      drawing.clear();
      setAttribute(plot, "aria-valuetext", strings.connecting);
    },
    update(answer) {
      if (!answer.has_events) return;
      const joins = (answer.minutes[0]?.start ?? 0) <= knownUntil && answer.now < days.today.end;
      if (!joins) void load(answer);
      take(answer.minutes);
      if (shown) show(answer.now, answer.complete_until);
    },
  };
}
