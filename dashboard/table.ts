/** A real <table> whose rows keep their identity while they move, so that live rankings glide and never shift the layout. */
import { button, el, setAttribute, setText } from "./dom.ts";

export interface Row {
  readonly key: string;
  readonly label: string;
  /** Shown before the label, hidden from screen readers: a flag. */
  readonly mark: string;
  readonly cells: readonly string[];
  /** 0-1, the length of the bar behind the label. */
  readonly share: number;
  /** False for rows that stand for many values. */
  readonly canFocus: boolean;
  readonly isFocused: boolean;
  readonly hint: string;
}

export interface RowTable {
  readonly node: HTMLTableElement;
  update(head: readonly string[], rows: readonly Row[]): void;
}

/** Kept equal to --row in style.css. */
const ROW_HEIGHT = 34;

/** `pick` runs with a row's key. With `fixedRows` the body always has that height, whatever it holds. */
export function rowTable(
  caption: string,
  fixedRows: number | undefined,
  pick: (key: string) => void,
): RowTable {
  // The rows are laid out as grids, which takes the table roles away in some browsers: say them again.
  const headRow = el("tr", { role: "row" });
  const body = el("tbody", { role: "rowgroup" });
  const title = el("caption", { class: "visually-hidden" }, caption);
  const node = el(
    "table",
    { class: "rows", role: "table" },
    title,
    el("thead", { role: "rowgroup" }, headRow),
    body,
  );
  const live = new Map<string, ReturnType<typeof tableRow>>();
  if (fixedRows !== undefined) body.style.height = `${fixedRows * ROW_HEIGHT}px`;

  return {
    node,
    update(head, rows) {
      // Without columns there is no table, and an empty row would be announced as one.
      node.hidden = head.length === 0;
      node.dataset.columns = String(head.length);
      if (headRow.childElementCount !== head.length) {
        headRow.replaceChildren(...head.map(() => el("th", { scope: "col", role: "columnheader" })));
      }
      for (const [i, text] of head.entries()) setText(headRow.children[i]!, text);
      if (fixedRows === undefined) body.style.height = `${rows.length * ROW_HEIGHT}px`;
      const kept = new Set(rows.map(({ key }) => key));
      for (const [key, row] of live) {
        if (kept.has(key)) continue;
        row.node.remove();
        live.delete(key);
      }
      rows.forEach((row, i) => {
        let found = live.get(row.key);
        if (!found) {
          found = tableRow(() => pick(row.key));
          live.set(row.key, found);
          body.append(found.node);
        }
        found.show(row, head.length - 1);
        // Moved by transform only: that is neither a layout nor a layout shift.
        found.node.style.transform = `translateY(${i * ROW_HEIGHT}px)`;
        found.node.setAttribute("aria-rowindex", String(i + 2));
      });
      // The reading and tab order follows the screen; a row that holds the keyboard's focus is left in place.
      const order = rows.map(({ key }) => live.get(key)!.node);
      if (!body.contains(document.activeElement) && order.some((one, i) => body.children[i] !== one))
        body.append(...order);
    },
  };
}

function tableRow(pick: () => void) {
  const bar = el("i", { class: "share", "aria-hidden": "true" });
  const mark = el("span", { class: "mark", "aria-hidden": "true" });
  // What is cut off of a name is its end, also where it is written from right to left.
  const text = el("span", { class: "text", dir: "auto" });
  const label = button("pick", mark, pick);
  label.append(text);
  const name = el("th", { scope: "row", role: "rowheader" }, bar, label);
  const node = el("tr", { role: "row" }, name);
  return {
    node,
    show(row: Row, columns: number): void {
      setText(text, row.label);
      setText(mark, row.mark);
      mark.hidden = row.mark === "";
      setAttribute(label, "title", row.canFocus ? row.hint : row.label);
      setAttribute(label, "aria-pressed", row.canFocus ? String(row.isFocused) : undefined);
      label.disabled = !row.canFocus;
      bar.style.transform = `scaleX(${row.share})`;
      while (node.childElementCount - 1 > columns) node.lastElementChild?.remove();
      while (node.childElementCount - 1 < columns) node.append(el("td", { role: "cell" }));
      for (let i = 0; i < columns; i++) setText(node.children[i + 1]!, row.cells[i] ?? "");
    },
  };
}
