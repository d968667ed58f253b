/** What tests run inside the page, as text: the DOM's names are no part of the tests' own world. */

/** Before anything else: adds up `layoutShift`, but for what the viewer's own input moved. */
export const SUM_LAYOUT_SHIFTS = `
  globalThis.layoutShift = 0;
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) layoutShift += value;
  }).observe({ type: "layout-shift", buffered: true });
`;

/** Before anything else: keeps in `said` each text that an element of this selector ever had, however short it stood. */
export const recordTexts = (selector: string): string => `
  globalThis.said = [];
  new MutationObserver(() => {
    const text = document.querySelector(${JSON.stringify(selector)})?.textContent ?? "";
    if (said.at(-1) !== text) said.push(text);
  }).observe(document, { subtree: true, childList: true, characterData: true });
`;

/** Milliseconds from the page's HTML to the fixture's headline number on screen. */
export const TIME_TO_FIRST_NUMBER = `(async () => {
  while (document.querySelector("[data-metric=visitors] .value")?.textContent !== "1,200") {
    await new Promise(requestAnimationFrame);
  }
  return performance.now() - performance.getEntriesByType("navigation")[0].responseEnd;
})()`;

/** What comes first after a key: the text of `selector` in the next frame, or the first question that is asked. */
export const orderAfterKey = (key: string, selector: string): string => `(async () => {
  const order = [];
  const real = fetch;
  window.fetch = (path, ...given) => {
    if (path.includes("/query")) order.push("asked");
    return real(path, ...given);
  };
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "${key}", bubbles: true }));
  await new Promise(requestAnimationFrame);
  order.push(document.querySelector("${selector}").textContent);
  while (!order.includes("asked")) await new Promise(requestAnimationFrame);
  window.fetch = real;
  return order.slice(0, 2);
})()`;

/** Controls on screen that a screen reader would announce without a name. */
export const NAMELESS_CONTROLS = `
  [...document.querySelectorAll("button, select, input, [tabindex], img")]
    .filter((node) => node.checkVisibility())
    .filter((node) => {
      const label = node.getAttribute("aria-label") ?? node.labels?.[0]?.textContent;
      return !(label || node.textContent?.trim() || node.hasAttribute("alt") || node.hasAttribute("aria-labelledby"));
    })
    .map((node) => node.outerHTML)
`;

/** Texts on screen whose colour is too near to what lies behind them, by WCAG 2's contrast ratio. */
export const LOW_CONTRAST = `(() => {
  const parse = (text) => (text.match(/[0-9.]+/g) ?? []).map(Number);
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * (top[3] ?? 1) + below[i] * (1 - (top[3] ?? 1)));
  const luminance = (color) => {
    const [r, g, b] = color.map((one) => one / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) =>
    node ? over(parse(getComputedStyle(node).backgroundColor), behind(node.parentElement)) : [255, 255, 255];
  const found = [];
  let checked = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const node = text.parentElement;
    if (!text.textContent.trim() || !node.checkVisibility() || node.closest(".visually-hidden, .skip, option")) continue;
    // The bars behind the rows' names are siblings, not ancestors.
    const bar = node.closest("th")?.querySelector(".share");
    const ground = bar ? over(parse(getComputedStyle(bar).backgroundColor), behind(node)) : behind(node);
    const ink = over(parse(getComputedStyle(node).color), ground);
    const [high, low] = [luminance(ink), luminance(ground)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    checked++;
    if (!(ratio >= 4.5)) found.push(ratio.toFixed(2) + " " + node.className + ": " + text.textContent);
  }
  return checked < 50 ? ["only " + checked + " texts found"] : found;
})()`;
