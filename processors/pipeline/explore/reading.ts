/** How far pages were read, in SQL. The rules are fold.ts's, said once more. */
import { sql } from "./sql.ts";

/** The columns that `scrolled` adds. */
export const SCROLL_COLUMNS = ["read", "scroll", "scrolled"];

const ofPair = sql`(PARTITION BY "visitor", "visit", "page", "name" ORDER BY "ord")`;
const before = sql`coalesce(max("scroll_depth" + 1) OVER (PARTITION BY "visitor", "visit", "page", "name" ORDER BY "ord" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)`;
const isRead = sql`"name" = 'engagement' AND "visit" IS NOT NULL`;

/**
 * What each report of engagement adds to the reading of its page: the first of a visit and page counts it as read, the
 * first with a depth as scrolled, and a deeper one adds the difference, as fold.ts marks it.
 */
export const scrolled = sql`SELECT *, CASE WHEN ${isRead} AND "nth" = 1 THEN 1 ELSE 0 END AS "read", CASE WHEN ${isRead} AND "deepest" = 0 AND "scroll_depth" IS NOT NULL THEN 1 ELSE 0 END AS "scroll", CASE WHEN ${isRead} AND "scroll_depth" IS NOT NULL THEN greatest("scroll_depth", greatest("deepest" - 1, 0)) - greatest("deepest" - 1, 0) ELSE 0 END AS "scrolled" FROM (SELECT *, row_number() OVER ${ofPair} AS "nth", ${before} AS "deepest" FROM "e") AS "reports"`;
