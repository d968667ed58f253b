/** The way to a table as a file. What totals tell is downloaded as it comes; for the archive one has to ask until it was read. */
import type { QueryMeta } from "./answers.ts";
import { csvFile } from "./api.ts";
import { el, setAttribute } from "./dom.ts";
import { fill } from "./i18n/strings.ts";
import { readingText } from "./progress.ts";
import { problem } from "./refusal.ts";
import type { View } from "./view.ts";

export interface CsvLink {
  readonly node: HTMLElement;
  /** `meta` is that of the same answer on the page: it tells where the file will come from. */
  show(address: string, meta: QueryMeta | undefined, name?: string): void;
}

/** `say` runs with how far the file is, with why it does not come, and at last with "". */
export function csvLink(view: View, say: (text: string) => void): CsvLink {
  const { strings } = view;
  const node = el("a", { class: "link csv", download: "" }, "CSV");
  let isRead = false;
  let isBusy = false;

  async function save(address: string): Promise<void> {
    try {
      const { name, body } = await csvFile(address, (done) => say(readingText(done, view)));
      const href = URL.createObjectURL(body);
      el("a", { href, download: name }).click();
      // The browser has taken it by then.
      setTimeout(() => URL.revokeObjectURL(href), 60_000);
      say("");
    } catch (error) {
      say(problem(error, strings));
    }
  }

  node.addEventListener("click", (event) => {
    if (!isRead) return;
    event.preventDefault();
    if (isBusy) return;
    isBusy = true;
    void save(node.getAttribute("href") ?? "").finally(() => {
      isBusy = false;
    });
  });
  return {
    node,
    show(address, meta, name) {
      isRead = meta?.source === "archive";
      setAttribute(node, "href", address || undefined);
      if (name) setAttribute(node, "aria-label", fill(strings.csvOf, { name }));
    },
  };
}
