/** What readers get, exactly: every field of every answer. Tests hold real answers to these shapes. */
import type { Schema } from "./openapi.ts";

const text = (description: string): Schema => ({ type: "string", description });
const number = (description: string): Schema => ({ type: "number", description });
const integer = (description: string): Schema => ({ type: "integer", description });
const flag = (description: string): Schema => ({ type: "boolean", description });
const list = (items: Schema, description: string): Schema => ({ type: "array", items, description });
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

/** Nothing but these properties; those whose names end in "?" may be absent. */
function exact(properties: Record<string, Schema>, description?: string): Schema {
  const plain = (name: string): string => name.replace(/\?$/, "");
  return {
    type: "object",
    required: Object.keys(properties).filter((name) => !name.endsWith("?")),
    properties: Object.fromEntries(Object.entries(properties).map(([name, schema]) => [plain(name), schema])),
    additionalProperties: false,
    ...(description === undefined ? {} : { description }),
  };
}

const byMetric = (values: Schema, description: string): Schema => ({
  type: "object",
  additionalProperties: values,
  description,
});

const completeUntil = integer("Event time up to which windows are final, epoch milliseconds.");
const lagMs = number("How long the oldest event that is not counted yet has waited; 0 when nothing waits.");
const late = integer(
  "Events and reports (engagement, web vitals) in the range that came after their window had closed; they are counted.",
);
const minute = exact({
  start: integer("Epoch milliseconds."),
  visitors: integer("Distinct in that minute."),
  pageviews: integer(""),
  events: integer("Page views and custom events."),
  provisional: flag("The minute is not final yet."),
});
const feedEntry = exact({
  at: integer("Epoch milliseconds."),
  name: text("Of the event."),
  page: text(""),
  source: text(""),
  country: text(""),
  device: text(""),
  browser: text(""),
  "trace?": text("Id of its trace, where that was sampled and can be read."),
});
const values = list(ref("MetricValue"), "In the order that was asked for.");
const dimensions = list({ type: "string" }, "In the order that was asked for.");
const range: Schema = {
  type: "array",
  items: { type: "string" },
  minItems: 2,
  maxItems: 2,
  description: "First and last second, ISO 8601 with the site's offset.",
};

const shareFields = {
  id: text("Names it; no secret."),
  label: text("What it is for."),
  created_at: integer("Epoch milliseconds."),
  expires_at: integer("Epoch milliseconds."),
};

const keptFrom = integer(
  "Nothing before this is kept, and the question asked for it; a comparison that reaches there is left out. Epoch milliseconds.",
);
const exploreMeta = (more: Record<string, Schema> = {}): Schema =>
  exact({
    complete_until: integer(
      "Windows that end at or before this are whole in the archive, epoch milliseconds.",
    ),
    source: { type: "string", enum: ["archive"], description: "What was read." },
    "kept_from?": keptFrom,
    ...more,
  });
const explored = (own: Record<string, Schema>): Schema =>
  exact(
    { site_id: text(""), date_range: range, filters: list({}, "As sent."), ...own },
    "The question as it was understood.",
  );

export const responseSchemas: Readonly<Record<string, Schema>> = {
  Money: exact({
    currency: text("ISO 4217."),
    value: number("Major units."),
    short: text("For a tile, in English."),
    long: text("In full, in English."),
  }),
  MetricValue: {
    anyOf: [{ type: "number", nullable: true }, ref("Money")],
    description: "null: nothing was measured.",
  },
  Reconciled: exact(
    {
      until: integer("Arrival of the newest record that has been recounted, epoch milliseconds."),
      events: integer("Events recounted."),
      difference: integer("Events counted minus events recounted; expected 0."),
      windows: integer("Windows in which anything differs; expected 0."),
    },
    "The numbers against a recount of the stream.",
  ),
  Comparison: {
    ...exact({
      metrics: values,
      dimensions,
      change: list(
        { type: "number", nullable: true },
        "Of each metric: whole percent; bounce_rate and conversion rates in points. null: not comparable.",
      ),
    }),
    nullable: true,
  },
  QueryMeta: exact({
    complete_until: completeUntil,
    lag_ms: lagMs,
    error: byMetric({ type: "number" }, "Relative standard error of each metric; 0 is exact."),
    source: { type: "string", enum: ["rollup", "archive"], description: "What was read." },
    late,
    "kept_from?": keptFrom,
    "reconciled?": ref("Reconciled"),
    "time_labels?": list({ type: "string" }, "Every label of the time dimension, also the empty ones."),
    "provisional?": list({ type: "string" }, "Those of time_labels whose buckets are not final yet."),
    "total_rows?": integer("Rows before pagination."),
    "metric_warnings?": byMetric(
      exact({
        code: {
          type: "string",
          enum: [
            "visitor_days",
            "first_exit_only",
            "other_currencies",
            "vitals_not_kept",
            "values_beyond_table",
          ],
        },
        warning: text("For people."),
      }),
      "Where a number means something special.",
    ),
  }),
  QueryEcho: exact(
    {
      site_id: text(""),
      metrics: list({ type: "string" }, ""),
      date_range: range,
      "comparison_date_range?": range,
      dimensions: list({ type: "string" }, ""),
      filters: list({}, ""),
      order_by: list({ type: "array", items: { type: "string" }, minItems: 2, maxItems: 2 }, ""),
      include: exact({
        time_labels: flag(""),
        total_rows: flag(""),
        "comparisons?": exact({ mode: text(""), match_day_of_week: flag("") }),
      }),
      pagination: exact({ limit: integer(""), offset: integer("") }),
    },
    "The query as it was understood.",
  ),
  QueryResult: exact({
    results: list(exact({ metrics: values, dimensions, "comparison?": ref("Comparison") }), "Rows."),
    meta: ref("QueryMeta"),
    query: ref("QueryEcho"),
  }),
  StillRunning: exact({
    progress: exact(
      {
        done: { type: "number", nullable: true, description: "0 to 1; null where it cannot be told." },
        elapsed_ms: integer("Since the archive is being read for this question."),
      },
      "How far it is.",
    ),
  }),
  FunnelResult: exact({
    steps: list(
      exact({
        label: text("The page or goal, as sent."),
        visitors: integer("Who came as far as this."),
        conversion_rate: number("Percent of those of the first step."),
        drop_off: integer("Visitors of the step before who did not come as far."),
      }),
      "In the order that was asked for.",
    ),
    meta: exploreMeta(),
    query: explored({ steps: list({ type: "object" }, ""), within: text("") }),
  }),
  RetentionResult: exact({
    cohorts: list(
      exact({
        start: text("First day of the interval in which they first came."),
        visitors: integer("Who first came then, within the range."),
        returned: list(
          { type: "integer" },
          "Who of them had an event so many intervals later; the first is all of them.",
        ),
      }),
      "An interval each, as far as they have begun.",
    ),
    meta: exploreMeta({
      warnings: list(
        exact({ code: text(""), warning: text("For people.") }),
        "What the numbers cannot tell.",
      ),
    }),
    query: explored({ interval: text("") }),
  }),
  PathsResult: exact({
    steps: list(
      exact({
        depth: integer("0 is the beginning."),
        pages: list(
          exact({
            page: text("A path, (other) or (exit)."),
            visits: integer(""),
            percentage: number("Of all paths."),
          }),
          "Most frequent first.",
        ),
      }),
      "From the beginning on.",
    ),
    links: list(
      exact({
        depth: integer("Of the page that it leads to."),
        from: text(""),
        to: text(""),
        visits: integer(""),
      }),
      "From each page to each page of the next step.",
    ),
    meta: exploreMeta(),
    query: explored({ "from?": text(""), depth: integer(""), limit: integer("") }),
  }),
  Live: exact({
    site_id: text("The site."),
    now: integer("The server's clock, epoch milliseconds."),
    time_zone: text("The site's, as in the IANA database."),
    current_visitors: integer("Visitors of the last five minutes."),
    has_events: flag("Whether the site ever had an event."),
    minutes: { ...list(minute, "The last 30 minutes, oldest first."), minItems: 30, maxItems: 30 },
    latest: { ...list(feedEntry, "The latest events, newest first."), maxItems: 20 },
    complete_until: completeUntil,
    lag_ms: lagMs,
    late,
    rejected: byMetric({ type: "integer" }, "What was refused in these minutes, by reason."),
    "reconciled?": ref("Reconciled"),
    error: exact({ visitors: number("Relative standard error of current_visitors.") }),
    "month_cost?": integer("US dollars that a month like the last hour would cost; for owners, on AWS."),
  }),
  AboutSite: exact({
    site_id: text(""),
    version: integer("Of the settings; a change names the one that it is based on."),
    goals: list(ref("Goal"), ""),
    funnels: list(ref("Funnel"), ""),
    may_write: flag("Whether who asked may change them."),
    has_archive: flag("Whether questions beyond rollups have an answer."),
    properties: list({ type: "string" }, "Keys of the properties that events had lately."),
    rejected: byMetric({ type: "integer" }, "Input refused in the last 30 minutes, by reason."),
    "unknown_sites?": list(
      exact({ site_id: text("As the request named it."), at: integer("Epoch milliseconds.") }),
      "Site ids of requests that no site has, newest first; only for who may write, on one machine.",
    ),
    "last_request_at?": {
      ...integer("When the last request for the site came; null for none since the start. On one machine."),
      nullable: true,
    },
    "report_to?": text(
      "Where pages report to, unless to /v1/events beside the dashboard: an address or a path.",
    ),
    "script_at?": text("Path of the collector, where it has a name of its own. On one machine."),
  }),
  Alerts: exact({ alerts: { ...list(ref("Alert"), "At most 100."), maxItems: 100 } }),
  Alert: exact({
    id: text("The same however often it is delivered."),
    rule: text("Id of the rule."),
    site: text(""),
    kind: text("spike, drop, above, below, silence, rejects or lag."),
    state: text("firing or over."),
    since: integer("Since when it is so, epoch milliseconds."),
    at: integer("When it was found, epoch milliseconds."),
    value: number("What was found."),
    expected: number("What is usual, or the rule's limit."),
    text: text("All of it in a sentence."),
    url: text("The view that shows it."),
  }),
  Shares: exact({ shares: list(ref("Share"), "Oldest first.") }),
  Share: exact(shareFields),
  MadeShare: exact({ ...shareFields, token: text("Put it into ?share= of the dashboard's address.") }),
  Nothing: exact({}),
  Sites: exact({
    sites: list(
      exact({ site_id: text(""), time_zone: text("IANA name.") }),
      "Those that the reader may read.",
    ),
  }),
  QueryError: exact({
    error: text("What is wrong; begins with the field."),
    "code?": text("`no_archive`: only single events could tell, and none are kept here."),
    "sign_in?": text("With 401: path of the page where a browser can sign in."),
    "id?": text("Of a failure of ours: finds the cause in the log."),
  }),
};
