/** The dimensions that rollups hold a table for, under their public names. */

/** Attributes of a visit, fixed when it begins. */
export const VISIT_DIMENSIONS = [
  "visit:source",
  "visit:channel",
  "visit:referrer",
  "visit:utm_source",
  "visit:utm_medium",
  "visit:utm_campaign",
  "visit:utm_term",
  "visit:utm_content",
  "visit:entry_page",
  "visit:device",
  "visit:browser",
  "visit:os",
  "visit:country",
  "visit:screen",
  "visit:language",
] as const;
export type VisitDimension = (typeof VISIT_DIMENSIONS)[number];

/** Attributes of the agent that no rollup has a table for: every row of the archive says them of its own event. */
export const AGENT_DIMENSIONS = ["visit:browser_version", "visit:os_version"] as const;

/** Where an event came from, finer than its country, if the operator gives a table: columns of the archive as well. */
export const PLACE_DIMENSIONS = ["visit:region", "visit:region_name", "visit:city"] as const;
/** Another name of `visit:city`: cities have no codes here. */
export const CITY_NAME = "visit:city_name";

/** Hosts of a visit's first event and of its last page view: no rollup has a table of them, and no row tells them alone. */
export const ENTRY_HOSTNAME = "visit:entry_page_hostname";
export const EXIT_HOSTNAME = "visit:exit_page_hostname";

/** Known of single events alone: rollups have no table of them. */
export const ARCHIVE_DIMENSIONS = [
  ...AGENT_DIMENSIONS,
  ...PLACE_DIMENSIONS,
  ENTRY_HOSTNAME,
  EXIT_HOSTNAME,
] as const;

/** Moves while the visit goes on, so it is counted by signed corrections. */
export const EXIT_PAGE = "visit:exit_page";

export const EVENT_DIMENSIONS = ["event:page", "event:hostname", "event:name"] as const;

/** One table for each property key: `event:props:plan`. */
export const PROPS_PREFIX = "event:props:";

/** `visit:country` in English. */
export const COUNTRY_NAME = "visit:country_name";

/** Custom events are the goals; answered from the `event:name` table without page views. */
export const GOAL = "event:goal";

/** Row that takes what a bounded table has no room for; totals stay exact. */
export const OTHER = "(other)";
