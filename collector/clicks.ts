/** Events that need no code: links that leave, downloads, forms, and any element with `data-event`. */
import { track } from "./events.ts";
import { on } from "./guard.ts";
import { scrub } from "./page.ts";

const DOWNLOAD = /\.((doc|xls|ppt)x?|pdf|zip|exe|dmg|apk|csv|mp[34])$/i;

/** Asked for once: it stays with the document, and of all that a click on a link asks for it takes longest. */
const ownHost = location.host;

/** Tells when one of them is used. `data-props` of the element, a JSON object, adds properties. */
export const watchClicks = (): unknown =>
  on("click auxclick submit", ({ type, target, button }: MouseEvent) => {
    const isClick = type < "d"; // or a submit
    const element = isClick
      ? // A context menu is no visit, and every click inside a form would find the form.
        button < 2 && (target as Element).closest("[data-event]:not(form),a[href]")
      : target;
    if (!element) return;
    const { dataset, pathname, host } = element as HTMLAnchorElement;
    const name =
      dataset.event ||
      (isClick
        ? DOWNLOAD.test(pathname)
          ? "download"
          : host && host !== ownHost && "outbound" // mailto: and the like have no host
        : "form");
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
