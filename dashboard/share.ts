/** Letting others look: share links with an end, the code that embeds the page elsewhere, and CSV of the chart. */
import type { QueryMeta, ShareLink } from "./answers.ts";
import { aboutSite, addShareLink, removeShareLink, shareLinks } from "./api.ts";
import { copyLine } from "./copy.ts";
import { csvLink } from "./csv.ts";
import { dialog } from "./dialog.ts";
import { button, el, options, setText } from "./dom.ts";
import { fill } from "./i18n/strings.ts";
import { problem } from "./refusal.ts";
import type { View } from "./view.ts";

const DAYS = ["7", "30", "90", "365"];

/** Opens the dialog for a site. `chartCsv` is the address of the chart's numbers, `meta` that of their answer. */
export function openShare(site: string, chartCsv: string, meta: QueryMeta | undefined, view: View): void {
  const { strings, format } = view;
  const box = dialog(strings.share, "editor", strings);
  const status = el("p", { class: "quiet", role: "status" }, strings.connecting);
  const reading = el("span", { class: "quiet", role: "status" });
  const file = csvLink(view, (text) => setText(reading, text));
  file.show(chartCsv, meta);
  setText(file.node, strings.chartCsv);
  const csv = el("p", {}, file.node, " ", reading);
  box.body.append(status, csv);
  const say = (error: unknown): void => setText(status, problem(error, strings));

  /** Who may not make links from here is told how whoever runs the server does. */
  function command(): void {
    const line = copyLine(strings, strings.shareCommand);
    line.show(`npx rivulet share add --site ${JSON.stringify(site)} --days 30 --url ${location.origin}`);
    setText(status, strings.shareCommand);
    csv.before(line.node);
  }

  function manage(): void {
    const days = el(
      "select",
      { class: "field", "aria-label": strings.expiry },
      ...options(DAYS.map((count) => [count, fill(strings.days, { count })])),
    );
    days.value = "30";
    const label = el("input", {
      class: "field",
      "aria-label": strings.shareFor,
      placeholder: strings.shareFor,
      maxlength: "100",
    });
    const link = copyLine(strings, strings.shareLink);
    const frame = copyLine(strings, strings.embed);
    const made = el(
      "div",
      { class: "made" },
      el("h3", {}, strings.shareLink),
      el("p", { class: "quiet", role: "status" }, strings.shareOnce),
      link.node,
      el("h3", {}, strings.embed),
      frame.node,
    );
    made.hidden = true;
    const list = el("ul", { class: "lines links", "aria-label": strings.shareList });
    const links = el("div", {}, el("h3", {}, strings.shareList), list);
    links.hidden = true;
    const form = el(
      "form",
      { class: "one-row" },
      days,
      label,
      el("button", { type: "submit", class: "button primary" }, strings.shareMake),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void addShareLink(site, Number(days.value), label.value.trim())
        .then(({ token }) => {
          const query = new URLSearchParams({ site, share: token });
          link.show(`${location.origin}/?${query}`);
          frame.show(
            `<iframe src="${location.origin}/embed/?${query.toString().replaceAll("&", "&amp;")}" width="100%" height="1600" loading="lazy"></iframe>`,
          );
          made.hidden = false;
          return load();
        })
        .catch(say);
    });

    async function load(): Promise<void> {
      list.replaceChildren(...(await shareLinks(site)).map(row));
      links.hidden = list.childElementCount === 0;
    }
    function row({ id, label: name, expires_at }: ShareLink): HTMLElement {
      const until = fill(strings.until, { date: format.day(expires_at) });
      const takeBack = (): void => {
        label.focus();
        void removeShareLink(site, id).then(load).catch(say);
      };
      const remove = button("link", strings.takeBack, takeBack, {
        "aria-label": `${strings.takeBack} ${name || id}`,
      });
      return el("li", {}, el("span", {}, name || id), el("span", { class: "quiet" }, until), remove);
    }
    setText(status, strings.shareHelp);
    csv.before(form, made, links);
    void load().catch(say);
  }

  aboutSite(site)
    .then(({ may_write }) => (may_write ? manage() : command()))
    .catch(say);
}
