/** Events that need no code: links that leave, downloads, forms, and any element with `data-event`. */
import type { WireEvent } from "../processors/model/event.ts";
import { on } from "./guard.ts";
import { scrub } from "./page.ts";

const DOWNLOAD = /\.(pdf|zip|exe|dmg|apk|docx?|xlsx?|pptx?|csv|mp[34])$/i;

/** Calls `track` when one of them is used. `data-props` of the element, a JSON object, adds properties. */
export function watchClicks(track: (name: string, options: { props: WireEvent["p"] }) => void): void {
  on("click auxclick submit", (event) => {
    const { type, target, button } = event as MouseEvent;
    if (button > 1) return; // a context menu is no visit
    const isSubmit = type === "submit";
    // Every click inside a form would find the form.
    const element = isSubmit ? target : (target as Element).closest("[data-event]:not(form),a[href]");
    if (!element) return;
    const { dataset, href, pathname, host } = element as HTMLAnchorElement;
    const name =
      dataset.event ||
      (isSubmit
        ? "form"
        : DOWNLOAD.test(pathname)
          ? "download"
          : host && host !== location.host && "outbound"); // mailto: and the like have no host
    // Not `.id`: a form's field of that name hides it.
    const id = (element as Element).getAttribute("id")!;
    if (name) track(name, { props: { id, url: scrub(href), ...JSON.parse(dataset.props || "{}") } });
  });
}
