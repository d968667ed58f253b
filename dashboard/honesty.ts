/** How far the numbers can be trusted: one line that is always there, and the details behind it. Asks nothing itself. */
import type { LiveAnswer, QueryMeta } from "./answers.ts";
import { el, setText } from "./dom.ts";
import { fill } from "./i18n/strings.ts";
import type { View } from "./view.ts";

/** Nobody waits for less, and the words would change with every poll. */
const UP_TO_DATE_MS = 1_000;

export interface Honesty {
  readonly node: HTMLElement;
  /** `meta` is that of the headline shown, where there is one. */
  update(answer: LiveAnswer, meta: QueryMeta | undefined, view: View): void;
  /** Puts a sentence in the place of the line: the server is away, or refused. */
  say(sentence: string): void;
}

export function honesty({ strings }: View): Honesty {
  const fresh = el("span", { class: "fresh" }, strings.connecting);
  const recount = el("p", { class: "recount" });
  const list = el("dl", {});
  const details = el(
    "div",
    { class: "card details", id: "details", popover: "auto", role: "dialog", "aria-label": strings.details },
    el("h2", {}, strings.details),
    list,
  );
  const button = el(
    "button",
    { type: "button", class: "freshness", popovertarget: "details", title: strings.detailsHint },
    fresh,
  );
  const node = el("div", { class: "facts" }, button, recount, details);

  details.addEventListener("toggle", () => {
    const { bottom, left } = button.getBoundingClientRect();
    details.style.top = `${Math.round(bottom + scrollY + 6)}px`;
    details.style.left = `${Math.round(Math.max(12, Math.min(left, document.body.clientWidth - details.offsetWidth - 12)))}px`;
  });

  /** What the recount says, for its sentences. */
  function recounted({ reconciled }: LiveAnswer, { format }: View) {
    return (
      reconciled && {
        differs: reconciled.windows > 0,
        values: {
          time: format.minute(reconciled.until),
          difference: format.count(Math.abs(reconciled.difference)),
          windows: format.count(reconciled.windows),
        },
      }
    );
  }

  function facts(
    answer: LiveAnswer,
    meta: QueryMeta | undefined,
    view: View,
  ): (readonly [string, string, string])[] {
    const { format } = view;
    const { late, rejected, month_cost } = answer;
    // Of all visitors that are shown: a long period may have more than can be counted exactly, when the last minutes have few.
    const error = format.error(Math.max(answer.error?.visitors ?? 0, meta?.error?.visitors ?? 0));
    const found: (readonly [string, string, string])[] = [
      [
        strings.factComplete,
        format.clock(answer.complete_until),
        fill(strings.freshHint, { time: format.clock(answer.complete_until) }),
      ],
      [
        strings.factLag,
        answer.lag_ms < UP_TO_DATE_MS ? strings.none : format.lag(answer.lag_ms),
        strings.factLagHint,
      ],
      [strings.factError, error || strings.exact, error ? fill(strings.errorHint, { error }) : ""],
    ];
    if (late !== undefined) found.push([strings.factLate, format.count(late), strings.factLateHint]);
    if (meta?.late !== undefined) found.push([strings.factLatePeriod, format.count(meta.late), ""]);
    if (rejected) {
      const reasons = Object.entries(rejected).map(
        ([reason, count]) => `${reason.replaceAll("_", " ")} ${format.count(count)}`,
      );
      found.push([strings.factRejected, reasons.join(", ") || strings.none, ""]);
    }
    const second = recounted(answer, view);
    if (second) {
      const { differs, values } = second;
      found.push([
        strings.factRecount,
        fill(strings.recountedTo, values),
        differs ? fill(strings.recountDiffers, values) : strings.recountHint,
      ]);
    }
    if (month_cost) found.push([strings.factCost, `$${format.count(month_cost)}`, ""]);
    if (meta?.source)
      found.push([
        strings.factSource,
        meta.source === "archive" ? strings.sourceArchive : strings.sourceRollup,
        "",
      ]);
    return found;
  }

  function sayRecount(answer: LiveAnswer, view: View): void {
    const { late = 0 } = answer;
    const second = recounted(answer, view);
    const parts = second
      ? [fill(second.differs ? strings.recountDiffers : strings.recounted, second.values)]
      : [];
    if (late > 0) parts.push(fill(strings.late, { count: view.format.count(late) }));
    setText(recount, parts.join(" · "));
    recount.classList.toggle("differs", second?.differs ?? false);
  }

  return {
    node,
    update(answer, meta, view) {
      const { complete_until, lag_ms } = answer;
      const sentence = lag_ms < UP_TO_DATE_MS ? strings.fresh : strings.behind;
      setText(
        fresh,
        fill(sentence, { time: view.format.clock(complete_until), lag: view.format.lag(lag_ms) }),
      );
      sayRecount(answer, view);
      const rows = facts(answer, meta, view);
      while (list.childElementCount > rows.length) list.lastElementChild?.remove();
      rows.forEach(([name, value, hint], i) => {
        const row =
          list.children[i] ??
          list.appendChild(el("div", {}, el("dt", {}), el("dd", {}), el("dd", { class: "quiet" })));
        for (const [part, text] of [name, value, hint].entries()) setText(row.children[part]!, text);
      });
    },
    say(sentence) {
      setText(fresh, sentence);
      setText(recount, "");
    },
  };
}
