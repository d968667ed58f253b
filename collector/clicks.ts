/** Events that need no code: links that leave, downloads, forms, and any element with `data-event`. */
import { track } from "./events.ts";
import { on } from "./guard.ts";
import { scrub } from "./page.ts";

const DOWNLOAD = /\.(pdf|zip|exe|dmg|apk|(doc|xls|ppt)x?|csv|mp[34])$/i;

/** Tells when one of them is used. `data-props` of the element, a JSON object, adds properties. */
export const watchClicks = (): unknown =>
  on("click auxclick submit", ({ type, target, button }: MouseEvent) => {
    const isSubmit = type === "submit";
    const element = isSubmit
      ? target
      : // A context menu is no visit, and every click inside a form would find the form.
        button < 2 && (target as Element).closest("[data-event]:not(form),a[href]");
    if (!element) return;
    const { dataset, pathname, host } = element as HTMLAnchorElement;
    const name =
      dataset.event ||
      (isSubmit
        ? "form"
        : DOWNLOAD.test(pathname)
          ? "download"
          : host && host !== location.host && "outbound"); // mailto: and the like have no host
    if (name)
      track(name, {
        props: {
          // Not `.id`: a form's field of that name hides it.
          id: (element as Element).getAttribute("id")!,
          url: host && scrub(element as HTMLAnchorElement),
          ...JSON.parse(dataset.props || null!),
        },
      });
  });
