/** The few lines of DOM that every part of the page shares; knows no data. */

type Child = Node | string;

/** A new element. Attributes only: inline style attributes are forbidden by the page's content security policy. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** The same for a drawing. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>> = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** A button of the class `look`, with what is in it and what it does. */
export function button(
  look: string,
  inside: Child,
  press: (event: MouseEvent) => void,
  attributes: Readonly<Record<string, string>> = {},
): HTMLButtonElement {
  const node = el("button", { type: "button", class: look, ...attributes }, inside);
  node.addEventListener("click", press);
  return node;
}

/** The choices of a drop-down: each value with what it is called, or alone where that is its name. */
export const options = (choices: Iterable<string | readonly [value: string, name: string]>): HTMLElement[] =>
  Array.from(choices, (choice) => {
    const [value, name] = typeof choice === "string" ? [choice, choice] : choice;
    return el("option", { value }, name);
  });

/** Writes only when the text differs, so that a refresh with equal numbers touches nothing on screen. */
export function setText(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets or removes an attribute, only when it differs. */
export function setAttribute(node: Element, name: string, value: string | undefined): void {
  if (value === undefined) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** A two-column or wider data table that only assistive technology and the table view show. Only the former its caption. */
export function fillTable(
  table: HTMLTableElement,
  caption: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const body = rows.map((cells) =>
    el(
      "tr",
      {},
      ...cells.map((text, i) => (i === 0 ? el("th", { scope: "row" }, text) : el("td", {}, text))),
    ),
  );
  table.replaceChildren(
    el("caption", { class: "visually-hidden" }, caption),
    el("thead", {}, el("tr", {}, ...head.map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", {}, ...body),
  );
}
