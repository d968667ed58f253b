/** Why no event has come, as far as the server can tell: what arrived and was refused, and what to look at when nothing did. */
import type { SiteAbout } from "./answers.ts";
import { ApiError, aboutSite, forgetSite } from "./api.ts";
import { el } from "./dom.ts";
import type { Strings } from "./i18n/en.ts";
import { fill } from "./i18n/strings.ts";

/** What each reason to refuse means for somebody who installs (the list is closed: processors/model/event.ts). */
const REASONS: Readonly<Record<string, keyof Strings>> = {
  bot: "checkBot",
  too_old: "checkClock",
  from_future: "checkClock",
  invalid_url: "checkUrl",
  malformed: "checkMalformed",
  too_large: "checkMalformed",
};

/** Sentences, the likeliest first. */
function findings(about: SiteAbout, origin: string, strings: Strings): string[] {
  const found: string[] = [];
  for (const { site_id } of about.unknown_sites ?? [])
    found.push(fill(strings.checkSite, { seen: site_id, site: about.site_id }));
  const said = new Set<string>();
  for (const [reason, count] of Object.entries(about.rejected)) {
    const sentence = strings[REASONS[reason] ?? "checkOther"];
    if (count > 0 && !said.has(sentence)) found.push(fill(sentence, { reason, count: String(count) }));
    said.add(sentence);
  }
  if (found.length > 0) return found;
  const nothing = about.last_request_at === null ? strings.checkNothing : strings.checkUnknown;
  return [
    nothing,
    strings.checkPasted,
    fill(strings.checkPolicy, {
      origin: [...new Set([origin, new URL(about.report_to ?? "", origin).origin])].join(" "),
    }),
    strings.checkLocal,
    strings.checkBlocker,
  ];
}

export interface InstallCheck {
  readonly node: HTMLElement;
  /** Looks now, and tells what is known of the site. Does nothing while the server is away: the page says so elsewhere. */
  look(site: string): Promise<SiteAbout | undefined>;
}

export function installCheck(strings: Strings): InstallCheck {
  const list = el("ul", { class: "findings" });
  const node = el("details", { class: "check", open: "" }, el("summary", {}, strings.checkTitle), list);
  let shown = "";
  return {
    node,
    async look(site) {
      forgetSite(site);
      let about: SiteAbout;
      try {
        about = await aboutSite(site);
      } catch (error) {
        if (error instanceof ApiError) return undefined;
        throw error;
      }
      const lines = findings(about, location.origin, strings);
      if (lines.join("\n") !== shown) list.replaceChildren(...lines.map((text) => el("li", {}, text)));
      shown = lines.join("\n");
      return about;
    },
  };
}
