/** Which breakdowns the page has, by panel and tab, and what they and their values are called. Asks and draws nothing. */
import type { Filter } from "./answers.ts";
import type { Strings } from "./i18n/en.ts";
import type { View } from "./view.ts";

/** How a tab shows its dimension; `rows` is a ranking. */
export type TabKind = "rows" | "map" | "properties" | "goals" | "funnels";

export interface Tab {
  readonly label: keyof Strings;
  readonly kind?: TabKind;
  readonly dimension: string;
  readonly metrics: readonly (keyof Strings)[];
  /** Tabs of one group share a drop-down in the tab strip. */
  readonly group?: keyof Strings;
  /** What is counted in this tab alone, besides the viewer's own filters. */
  readonly only?: Filter;
  /** Head of the first column, where the tab's own name does not say what its rows are. */
  readonly noun?: keyof Strings;
}

export interface PanelDefinition {
  readonly title: keyof Strings;
  /** Rows shown; the panels of one line on screen have as many. */
  readonly rows: number;
  readonly tabs: readonly Tab[];
}

const VISITS = ["visitors", "visits"] as const;
const GOAL = ["visitors", "events", "conversion_rate", "total_revenue"] as const;
/** Names that the collector gives (docs/collector.md, "What it reports"), and those of trackers that speak Plausible's protocol. */
const event = (...names: string[]): Filter => ["is", "event:goal", names];
const utm = (label: keyof Strings): Tab => ({
  label,
  dimension: `visit:utm_${label}`,
  metrics: VISITS,
  group: "utm",
});

export const PANELS: readonly PanelDefinition[] = [
  {
    title: "pages",
    rows: 9,
    tabs: [
      { label: "top", dimension: "event:page", metrics: ["visitors", "pageviews"], noun: "page" },
      { label: "entry", dimension: "visit:entry_page", metrics: VISITS, noun: "page" },
      { label: "exit", dimension: "visit:exit_page", metrics: VISITS, noun: "page" },
    ],
  },
  {
    title: "sources",
    rows: 9,
    tabs: [
      { label: "channel", dimension: "visit:channel", metrics: VISITS },
      { label: "source", dimension: "visit:source", metrics: VISITS },
      { label: "referrer", dimension: "visit:referrer", metrics: VISITS },
      utm("source"),
      utm("medium"),
      utm("campaign"),
      utm("term"),
      utm("content"),
    ],
  },
  {
    title: "places",
    rows: 7,
    tabs: [
      { label: "map", kind: "map", dimension: "visit:country", metrics: VISITS },
      { label: "country", dimension: "visit:country", metrics: VISITS },
      { label: "language", dimension: "visit:language", metrics: VISITS },
    ],
  },
  {
    title: "devices",
    rows: 7,
    tabs: [
      { label: "device", dimension: "visit:device", metrics: VISITS },
      { label: "browser", dimension: "visit:browser", metrics: VISITS },
      { label: "os", dimension: "visit:os", metrics: VISITS },
      { label: "size", dimension: "visit:screen", metrics: VISITS },
    ],
  },
  {
    title: "goals",
    rows: 7,
    tabs: [
      { label: "goal", dimension: "event:goal", metrics: GOAL },
      {
        label: "properties",
        kind: "properties",
        dimension: "event:props:",
        metrics: ["visitors", "events"],
        noun: "value",
      },
      { label: "defined", kind: "goals", dimension: "event:goal", metrics: GOAL },
      { label: "funnels", kind: "funnels", dimension: "", metrics: [] },
    ],
  },
  {
    title: "links",
    rows: 7,
    tabs: [
      {
        label: "outbound",
        dimension: "event:props:url",
        metrics: ["visitors", "events"],
        only: event("outbound", "Outbound Link: Click"),
        noun: "address",
      },
      {
        label: "downloads",
        dimension: "event:props:url",
        metrics: ["visitors", "events"],
        only: event("download", "File Download"),
        noun: "address",
      },
      {
        label: "notFound",
        dimension: "event:page",
        metrics: ["visitors", "events"],
        only: event("404"),
        noun: "page",
      },
    ],
  },
];

/** Every dimension that can be filtered by in the page, for the filter's own dialog. */
export const DIMENSIONS: readonly string[] = [
  ...new Set([
    ...PANELS.flatMap(({ tabs }) => tabs.map(({ dimension }) => dimension)).filter((name) =>
      /^(visit:|event:(page|goal)$)/.test(name),
    ),
    "event:hostname",
  ]),
];

/** What a breakdown is called in a sentence: "Page", "Country". */
export function dimensionLabel(dimension: string, strings: Strings): string {
  if (dimension === "event:page") return strings.page;
  if (dimension === "event:hostname") return strings.hostname;
  if (dimension.startsWith("event:props:")) return dimension.slice("event:props:".length);
  for (const { title, tabs } of PANELS) {
    const tab = tabs.find((one) => one.dimension === dimension && one.kind !== "map");
    if (!tab) continue;
    if (title === "pages") return `${strings[title]} · ${strings[tab.label]}`;
    return tab.group ? `${strings[tab.group]} · ${strings[tab.label]}` : strings[tab.label];
  }
  return dimension;
}

/**
 * What is stored for what the viewer wrote, or for all that it is a part of: countries are known by their names. A code in
 * capitals is one already, and one that the world has given up has the name of its heir.
 */
export function storedValues(dimension: string, text: string, isPart: boolean, view: View): string[] {
  if (dimension !== "visit:country" || /^[A-Z]{2}$/.test(text)) return [text];
  const codes = Array.from({ length: 26 * 26 }, (_, i) => String.fromCharCode(65 + i / 26, 65 + (i % 26)));
  const wanted = text.toLowerCase();
  const found = codes.filter(
    (code) =>
      new Intl.Locale(`und-${code}`).region === code &&
      [code, view.format.country(code)].some((name) =>
        isPart ? name.toLowerCase().includes(wanted) : name.toLowerCase() === wanted,
      ),
  );
  return found[0] ? found : [text];
}

/** A dimension's value as the viewer calls it. */
export function valueLabel(dimension: string, value: string, { strings, format }: View): string {
  if (value === "(other)") return strings.otherRows;
  if (value === "" || value === "(not set)") return strings.notSet;
  if (dimension === "visit:country") return format.country(value);
  if (dimension === "visit:language") return format.language(value);
  // Every address begins with it, and on a narrow screen little else would be left.
  return value.replace(/^https?:\/\/(www\.)?/, "");
}
