/**
 * The shapes that the API document speaks of. Request shapes hold only what makes a body readable at all: an event
 * that does not fit is refused by itself, with a reason, further down, and must not take its batch with it.
 */
import type { Schema } from "./openapi.ts";
import { deployable } from "./published.ts";
import { responseSchemas } from "./responses.ts";

const described = (description: string): Schema => ({ description });
const text = (description: string): Schema => ({ type: "string", description });
const number = (description: string): Schema => ({ type: "number", description });
const list = (items: Schema, description: string): Schema => ({ type: "array", items, description });
const object = (properties: Record<string, Schema>, description?: string): Schema => ({
  type: "object",
  properties,
  ...(description === undefined ? {} : { description }),
});

const batch: Schema = {
  type: "object",
  required: ["s", "e"],
  properties: {
    s: { type: "string", minLength: 1, description: "Site id, as registered." },
    b: described("Batch id, text. Made once and kept on every retry: a repeat is counted once."),
    t: described("The sender's clock when this attempt was sent, epoch milliseconds."),
    v: described("Visitor id, text, only where the site owner chose storage; absent means cookieless."),
    c: described(
      "What all events share: u URL of the page, r referrer, w and h viewport in CSS pixels, l language, z time zone.",
    ),
    k: described("Version of the collector's wire form."),
    d: described("How many events the sender gave up since its last batch."),
    e: {
      type: "array",
      items: described("An event: see WireEvent. One that does not fit is refused alone."),
      description: "Events, at most 1,000.",
    },
  },
  example: {
    s: "example.com",
    b: "0197a1b2c3d4",
    t: 1_763_800_000_000,
    c: { u: "https://example.com/a?utm_source=x", r: "https://news.ycombinator.com/", w: 1440, l: "en-US" },
    e: [{ n: "pageview", t: 1_763_799_999_000 }],
  },
};

const wireEvent = object(
  {
    n: text("Name: pageview, engagement, vitals, or any name of your own (at most 120 characters)."),
    t: number("The sender's clock when it happened, epoch milliseconds."),
    u: text("URL, where it differs from the batch's (at most 2,000 characters)."),
    r: text("Referrer, where it differs from the batch's."),
    p: object({}, "Properties: at most 30, flat, text, number or boolean."),
    $: object(
      { amount: described("Number or decimal text, in major units."), currency: text("ISO 4217.") },
      "Revenue.",
    ),
    i: { type: "boolean", description: "false: the event does not end a bounce." },
    ms: number("engagement: milliseconds of visible, active time since the last report."),
    sd: number("engagement: deepest scroll so far, percent."),
    m: object({}, "vitals: lcp, inp, fcp, ttfb in milliseconds; cls without unit."),
  },
  "One event of a batch.",
);

const either = (...names: string[]): Schema => ({ anyOf: names.map((name) => ({ required: [name] })) });

const plausibleEvent: Schema = {
  type: "object",
  allOf: [either("n", "name"), either("u", "url"), either("d", "domain")],
  properties: {
    n: text("Name of the event; pageview counts a page view. Also: name."),
    name: text("See n."),
    u: text("URL of the page. Also: url."),
    url: text("See u."),
    d: text("The site. Also: domain."),
    domain: text("See d."),
    r: described("Referrer. Also: referrer."),
    p: described("Properties, an object or its JSON text. Also: props."),
    $: described("Revenue: amount and currency. Also: revenue."),
    i: described("false: the event does not end a bounce. Also: interactive."),
  },
};

const query: Schema = {
  type: "object",
  required: ["site_id", "metrics", "date_range"],
  properties: {
    site_id: text("A registered site."),
    metrics: list(
      { type: "string" },
      "visitors, visits, pageviews, views_per_visit, bounce_rate, visit_duration, events, scroll_depth, time_on_page, " +
        "total_revenue, average_revenue, percentage, conversion_rate, group_conversion_rate, engaged_time; " +
        "p75 and p95 of lcp, inp, cls, ttfb and fcp, as in lcp_p75.",
    ),
    date_range: described(
      "realtime, day, 24h, 7d, 28d, 30d, 91d, month, 6mo, 12mo, year, all, or [from, to] in ISO 8601.",
    ),
    dimensions: list(
      { type: "string" },
      "time, time:minute|hour|day|week|month, event:page, event:hostname, event:goal, event:name, event:props:KEY, " +
        "visit:entry_page, visit:exit_page, visit:source, visit:referrer, visit:channel, " +
        "visit:utm_source|medium|campaign|term|content, visit:device, visit:browser, visit:os, visit:country, visit:country_name, " +
        "visit:screen, visit:language; from the archive alone visit:browser_version, visit:os_version, " +
        "visit:entry_page_hostname, visit:exit_page_hostname, visit:region, visit:region_name, visit:city, visit:city_name.",
    ),
    filters: list(
      {},
      '[operator, dimension, values], as in ["is", "visit:country", ["KR"]]; with {"case_sensitive": false} in the fourth ' +
        "place; operators is, is_not, contains, contains_not, matches, matches_not; joined by and, or, not.",
    ),
    order_by: list({}, '[metric or dimension, "asc" or "desc"].'),
    include: object(
      {
        time_labels: described("true: list every label of the time dimension in meta.time_labels."),
        total_rows: described("true: count all rows in meta.total_rows."),
        imports: described("Taken, and without effect: what was imported is in the numbers."),
        compare: described(
          "previous_period, year_over_year, or two dates: compare each row with that range.",
        ),
        compare_match_day_of_week: described("true: begin the compared range on the same day of the week."),
        comparisons: described("The long form of compare: mode, date_range, match_day_of_week."),
      },
      "Extras.",
    ),
    pagination: object({ limit: { type: "integer" }, offset: { type: "integer" } }),
  },
};

const goal = object(
  {
    name: text("Shown in place of the event or page."),
    event: text("Name of an event; or else page."),
    page: text("Path of a page."),
  },
  "An event or a page that matters.",
);
const funnel = object(
  {
    name: text("At most 100 characters, each once."),
    steps: list(
      object({ goal: text("Name of an event; or else page."), page: text("Path of a page.") }),
      "2 to 8.",
    ),
  },
  "Steps that visitors should take in this order.",
);
const settings: Schema = {
  type: "object",
  required: ["site_id", "version", "goals", "funnels"],
  properties: {
    site_id: text("A registered site."),
    version: { type: "integer", description: "The one that was read; 0 at first." },
    goals: list({ $ref: "#/components/schemas/Goal" }, "At most 30."),
    funnels: list({ $ref: "#/components/schemas/Funnel" }, "At most 10."),
  },
};
const newShare: Schema = {
  type: "object",
  required: ["site_id", "days"],
  properties: {
    site_id: text("A registered site."),
    days: { type: "integer", description: "How long it works, 1 to 3,660." },
    label: text("What it is for."),
  },
};

const dateRange = described(
  "realtime, day, 24h, 7d, 28d, 30d, 91d, month, 6mo, 12mo, year, all, or [from, to] in ISO 8601.",
);
/** A question to single events: what all of them have, and what is its own. */
const question = (own: Record<string, Schema>, required: readonly string[]): Schema => ({
  type: "object",
  required: ["site_id", "date_range", ...required],
  properties: {
    site_id: text("A registered site."),
    date_range: dateRange,
    filters: list({}, "As of a query, on visit: dimensions other than visit:exit_page."),
    ...own,
  },
});
const funnelQuestion = question(
  {
    steps: list(
      object({
        page: text("Path of a page, a star for any characters; or else goal."),
        goal: text("Name of an event."),
      }),
      "2 to 8, in the order in which they must be taken.",
    ),
    within: described("visit (the default) or day: where all steps must lie."),
  },
  ["steps"],
);
const retentionQuestion = question({ interval: text("day, week or month.") }, ["interval"]);
const pathsQuestion = question(
  {
    from: described("Path of the page that paths begin with. Default: the first page of each visit."),
    depth: { type: "integer", description: "Steps after it, 1 to 5. Default 3." },
    limit: { type: "integer", description: "Pages told apart at each step, 1 to 50. Default 10." },
  },
  [],
);

/** Every schema of the document, by name. API Gateway takes letters and digits only. */
export const schemas: Readonly<Record<string, Schema>> = {
  Batch: batch,
  WireEvent: wireEvent,
  PlausibleEvent: plausibleEvent,
  TextBody: described("The same JSON text that application/json would carry."),
  Problem: object({ message: text("What is wrong.") }),
  Query: query,
  Goal: goal,
  Funnel: funnel,
  SiteSettings: settings,
  NewShare: newShare,
  FunnelQuestion: funnelQuestion,
  RetentionQuestion: retentionQuestion,
  PathsQuestion: pathsQuestion,
  ...Object.fromEntries(Object.entries(responseSchemas).map(([name, schema]) => [name, deployable(schema)])),
};
