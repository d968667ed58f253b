/** The dialogs in which goals and funnels are defined. What is saved is for everybody who looks at the site. */
import type { Funnel, FunnelStep, Goal, SiteSettings } from "./answers.ts";
import { saveSettings } from "./api.ts";
import { dialog } from "./dialog.ts";
import { button, el, options, setText } from "./dom.ts";
import type { Strings } from "./i18n/en.ts";
import { problem } from "./refusal.ts";

/** As the server limits them. */
const MAX_STEPS = 8;
const MIN_STEPS = 2;

interface Line {
  readonly node: HTMLElement;
  /** Undefined while nothing is written in it. */
  read(): { readonly kind: "event" | "page"; readonly value: string; readonly name: string } | undefined;
}

/** One event or page, with or without a name of its own, and a button that takes it away. */
function line(
  strings: Strings,
  start: { kind: "event" | "page"; value: string; name?: string },
  isNamed: boolean,
): Line {
  const kind = el(
    "select",
    { class: "field", "aria-label": strings.kind },
    ...options([
      ["event", strings.goal],
      ["page", strings.page],
    ]),
  );
  kind.value = start.kind;
  const value = el("input", { class: "field", "aria-label": strings.eventOrPage, maxlength: "500" });
  const name = el("input", {
    class: "field",
    "aria-label": strings.goalName,
    placeholder: strings.goalName,
    maxlength: "100",
  });
  value.value = start.value;
  name.value = start.name ?? "";
  name.hidden = !isNamed;
  const hint = (): void => {
    value.placeholder = kind.value === "page" ? "/thanks" : "signup";
  };
  kind.addEventListener("change", hint);
  hint();
  const remove = (): void => {
    const next = (node.nextElementSibling ?? node.previousElementSibling)?.querySelector<HTMLElement>(
      "input",
    );
    const list = node.parentElement?.parentElement;
    node.remove();
    (next ?? list?.querySelector<HTMLElement>(".add"))?.focus();
  };
  const node = el(
    "li",
    {},
    kind,
    value,
    name,
    button("button round", "×", remove, { "aria-label": strings.remove }),
  );
  return {
    node,
    read: () =>
      node.isConnected && value.value.trim()
        ? {
            kind: kind.value === "page" ? "page" : "event",
            value: value.value.trim(),
            name: name.value.trim(),
          }
        : undefined,
  };
}

/** A growing list of lines. */
function lines(strings: Strings, first: Parameters<typeof line>[1][], isNamed: boolean, most: number) {
  const all: Line[] = [];
  const list = el("ul", { class: "lines" });
  const append = (start: Parameters<typeof line>[1]): Line => {
    const one = line(strings, start, isNamed);
    all.push(one);
    list.append(one.node);
    return one;
  };
  for (const start of first) append(start);
  const add = button("button add", strings.add, () => {
    if (list.childElementCount < most)
      append({ kind: "event", value: "" }).node.querySelector("input")?.focus();
  });
  return {
    node: el("div", {}, list, add),
    read: () => all.flatMap((one) => one.read() ?? []),
  };
}

type Change = Pick<SiteSettings, "goals"> | Pick<SiteSettings, "funnels">;

/** Saves and closes, or says why not. */
function saver(
  settings: SiteSettings,
  strings: Strings,
  saved: (settings: SiteSettings) => void,
  close: () => void,
): { node: HTMLElement; save(change: Change): Promise<void> } {
  const status = el("p", { class: "quiet", role: "alert" });
  const button = el("button", { type: "submit", class: "button primary" }, strings.save);
  return {
    node: el("footer", { class: "pages" }, status, button),
    async save(change) {
      button.disabled = true;
      try {
        const { site_id, version, goals, funnels } = settings;
        const next = await saveSettings({ site_id, version, goals, funnels, ...change });
        close();
        saved(next);
      } catch (error) {
        setText(status, problem(error, strings));
      } finally {
        button.disabled = false;
      }
    },
  };
}

const MAX_GOALS = 30;

export function editGoals(
  settings: SiteSettings,
  strings: Strings,
  saved: (settings: SiteSettings) => void,
): void {
  const box = dialog(strings.editGoals, "editor", strings);
  const start = settings.goals.map((goal) => ({
    kind: "event" in goal ? ("event" as const) : ("page" as const),
    value: "event" in goal ? goal.event : goal.page,
    ...(goal.name ? { name: goal.name } : {}),
  }));
  const list = lines(strings, start.length > 0 ? start : [{ kind: "event", value: "" }], true, MAX_GOALS);
  const end = saver(settings, strings, saved, box.close);
  const form = el("form", {}, el("p", { class: "quiet" }, strings.goalsHelp), list.node, end.node);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const goals: Goal[] = list.read().map(
      ({ kind, value, name }) =>
        ({
          ...(kind === "event" ? { event: value } : { page: value }),
          ...(name ? { name } : {}),
        }) as Goal,
    );
    void end.save({ goals });
  });
  box.body.append(form);
}

const MAX_FUNNELS = 10;

export function editFunnels(
  settings: SiteSettings,
  strings: Strings,
  saved: (settings: SiteSettings) => void,
): void {
  const box = dialog(strings.editFunnels, "editor", strings);
  const end = saver(settings, strings, saved, box.close);
  const sets: { node: HTMLElement; read(): Funnel | undefined }[] = [];
  const all = el("div", { class: "funnel-sets" });

  function append(funnel: Funnel | undefined): HTMLElement {
    const name = el("input", {
      class: "field",
      "aria-label": strings.funnelName,
      placeholder: strings.funnelName,
      maxlength: "100",
      required: "",
    });
    name.value = funnel?.name ?? "";
    const start = (funnel?.steps ?? [{ page: "" }, { goal: "" }]).map((step) =>
      "goal" in step
        ? { kind: "event" as const, value: step.goal }
        : { kind: "page" as const, value: step.page },
    );
    const list = lines(strings, start, false, MAX_STEPS);
    const remove = button("link", strings.removeFunnel, () => {
      node.remove();
      add.focus();
    });
    const node = el(
      "fieldset",
      {},
      el("legend", { class: "visually-hidden" }, strings.funnels),
      el("div", { class: "one-row" }, name, remove),
      list.node,
    );
    sets.push({
      node,
      read() {
        if (!node.isConnected) return undefined;
        const steps = list
          .read()
          .map(({ kind, value }): FunnelStep => (kind === "event" ? { goal: value } : { page: value }));
        return { name: name.value.trim(), steps };
      },
    });
    all.append(node);
    return name;
  }

  const add = button("button", strings.addFunnel, () => {
    if (all.childElementCount < MAX_FUNNELS) append(undefined).focus();
  });
  for (const funnel of settings.funnels) append(funnel);
  if (settings.funnels.length === 0) append(undefined);
  const short = el("p", { class: "bad", role: "alert" });
  const form = el("form", {}, el("p", { class: "quiet" }, strings.funnelsHelp), all, add, short, end.node);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const funnels = sets.flatMap(({ read }) => read() ?? []);
    setText(short, funnels.some(({ steps }) => steps.length < MIN_STEPS) ? strings.funnelShort : "");
    if (short.textContent === "") void end.save({ funnels });
  });
  box.body.append(form);
}
