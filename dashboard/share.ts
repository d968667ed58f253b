/** Letting others look: share links with an end, the code that embeds the page elsewhere, and CSV of the chart. */
import { ApiError, aboutSite, addShareLink, removeShareLink, type ShareLink, shareLinks } from "./api.ts";
import { copyLine } from "./copy.ts";
import { dialog } from "./dialog.ts";
import { el, setText } from "./dom.ts";
import { fill } from "./i18n/strings.ts";
import type { View } from "./view.ts";

const DAYS = [7, 30, 90, 365];

/** Opens the dialog for a site. `chartCsv` is the address of the chart's numbers. */
export function openShare(site: string, chartCsv: string, { strings, format }: View): void {
  const box = dialog(strings.share, "editor", strings);
  const status = el("p", { class: "quiet", role: "status" }, strings.connecting);
  box.body.append(
    el("p", {}, el("a", { class: "link", href: chartCsv, download: "" }, strings.chartCsv)),
    status,
  );
  const say = (error: unknown): void => {
    if (!(error instanceof ApiError)) throw error;
    setText(status, error.away ? strings.awayNever : fill(strings.failed, { message: error.message }));
  };

  /** Who may not make links from here is told how whoever runs the server does. */
  function command(): void {
    const line = copyLine(strings, strings.shareCommand);
    line.show(`npx rivulet share add --site ${JSON.stringify(site)} --days 30 --url ${location.origin}`);
    setText(status, strings.shareCommand);
    box.body.append(line.node);
  }

  function manage(): void {
    const days = el("select", { class: "field", "aria-label": strings.expiry });
    for (const count of DAYS)
      days.append(el("option", { value: String(count) }, fill(strings.days, { count: String(count) })));
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
      link.node,
      el("h3", {}, strings.embed),
      frame.node,
    );
    made.hidden = true;
    const list = el("ul", { class: "lines links", "aria-label": strings.shareList });
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
          setText(status, strings.shareOnce);
          return load();
        })
        .catch(say);
    });

    async function load(): Promise<void> {
      list.replaceChildren(...(await shareLinks(site)).map(row));
    }
    function row({ id, label: name, expires_at }: ShareLink): HTMLElement {
      const until = fill(strings.until, { date: format.day(expires_at) });
      const remove = el(
        "button",
        { type: "button", class: "link", "aria-label": `${strings.takeBack} ${name || id}` },
        strings.takeBack,
      );
      remove.addEventListener("click", () => {
        label.focus();
        void removeShareLink(site, id).then(load).catch(say);
      });
      return el("li", {}, el("span", {}, name || id), el("span", { class: "quiet" }, until), remove);
    }
    setText(status, strings.shareHelp);
    box.body.append(form, made, list);
    void load().catch(say);
  }

  aboutSite(site)
    .then(({ may_write }) => (may_write ? manage() : command()))
    .catch(say);
}
