/** Single-key shortcuts and the dialog that lists them. They can be switched off, as WCAG 2.1.4 asks. */
import { dialog } from "./dialog.ts";
import { el } from "./dom.ts";
import type { Strings } from "./i18n/en.ts";
import { store, stored } from "./stored.ts";

export interface Shortcut {
  readonly key: string;
  readonly label: string;
  readonly run: () => void;
}

export interface Shortcuts {
  openHelp(): void;
}

/** Listens on the whole page until it is closed. `?` opens the list. */
export function shortcuts(strings: Strings, table: readonly Shortcut[]): Shortcuts {
  let isOn = stored("shortcuts") !== "off";

  function openHelp(): void {
    const box = el("input", { type: "checkbox" });
    box.checked = isOn;
    box.addEventListener("change", () => {
      isOn = box.checked;
      store("shortcuts", isOn ? "on" : "off");
    });
    dialog(strings.help, "help", strings).body.append(
      el(
        "dl",
        {},
        ...table.flatMap(({ key, label }) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, label)]),
      ),
      el("label", { class: "switch" }, box, strings.shortcutsOn),
    );
  }

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const target = event.target as Element;
    if (target.closest("input, select, textarea, dialog, [role=slider], .menu")) return;
    if (event.key === "?") return openHelp();
    if (!isOn || event.shiftKey) return;
    // A Hangul or other non-Latin layout types its own letters; the physical key still says which was meant.
    const arrow = { ArrowLeft: "←", ArrowRight: "→" }[event.key];
    const letter =
      arrow ??
      (/^[a-z]$/i.test(event.key)
        ? event.key.toUpperCase()
        : /^[!-~]$/.test(event.key)
          ? event.key
          : event.code.replace(/^Key/, ""));
    const found = table.find(({ key }) => key === letter);
    if (!found) return;
    event.preventDefault();
    found.run();
  });
  return { openHelp };
}
