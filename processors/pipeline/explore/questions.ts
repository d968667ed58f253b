/** What funnel, retention and paths take, checked field by field. Every refusal names the field. */
import { LIMITS, PAGEVIEW } from "../../model/event.ts";
import { bad, list, quote } from "../fields.ts";
import { filteredDimensions } from "../query/filter.ts";
import { storedAs } from "../query/names.ts";
import { type Filter, parseRequest } from "../query/request.ts";
import { isOfVisit, isOfWholeVisit } from "./conditions.ts";

/** What all three share. */
export interface Asked {
  readonly siteId: string;
  /** As sent; range.ts reads it, because that needs the site's time zone. */
  readonly dateRange: string | readonly [string, string];
  /** On attributes of the visit. */
  readonly filters: readonly Filter[];
}

export type Step =
  | { readonly kind: "page"; readonly label: string; readonly pattern: string }
  | { readonly kind: "goal"; readonly label: string; readonly goal: string };

const WITHIN = ["visit", "day"] as const;
export interface FunnelQuestion extends Asked {
  readonly steps: readonly Step[];
  /** Where the steps must lie, one after the other. */
  readonly within: (typeof WITHIN)[number];
}

const INTERVALS = ["day", "week", "month"] as const;
export interface RetentionQuestion extends Asked {
  readonly interval: (typeof INTERVALS)[number];
}

export interface PathsQuestion extends Asked {
  /** The page that paths begin with; undefined: the first of each visit. */
  readonly from: string | undefined;
  readonly depth: number;
  /** Pages told apart at each step; the others are together. */
  readonly limit: number;
}

const MIN_STEPS = 2;
const MAX_STEPS = 8;
const MAX_DEPTH = 5;
const DEFAULT_DEPTH = 3;
const MAX_PAGES = 50;
const DEFAULT_PAGES = 10;

const SHARED = ["site_id", "date_range", "filters"];

/** Throws `bad_request` naming the field. */
export function parseFunnel(body: unknown): FunnelQuestion {
  const raw = known(body, ["steps", "within"]);
  const steps = list(raw.steps, "steps", MAX_STEPS).map(parseStep);
  if (steps.length < MIN_STEPS) bad(`steps: ${MIN_STEPS} to ${MAX_STEPS}`);
  return { ...shared(raw), steps, within: oneOf(raw.within ?? "visit", WITHIN, "within") };
}

/** Throws `bad_request` naming the field. */
export function parseRetention(body: unknown): RetentionQuestion {
  const raw = known(body, ["interval"]);
  return { ...shared(raw), interval: oneOf(raw.interval, INTERVALS, "interval") };
}

/** Throws `bad_request` naming the field. */
export function parsePaths(body: unknown): PathsQuestion {
  const raw = known(body, ["from", "depth", "limit"]);
  const { from } = raw;
  if (from !== undefined && from !== null) text(from, "from", LIMITS.urlChars);
  return {
    ...shared(raw),
    from: (from ?? undefined) as string | undefined,
    depth: wholeUpTo(raw.depth ?? DEFAULT_DEPTH, MAX_DEPTH, "depth"),
    limit: wholeUpTo(raw.limit ?? DEFAULT_PAGES, MAX_PAGES, "limit"),
  };
}

function known(body: unknown, own: readonly string[]): Record<string, unknown> {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    return bad("body: send a JSON object");
  const fields = [...SHARED, ...own];
  for (const key of Object.keys(body))
    if (!fields.includes(key)) bad(`${quote(key)}: no such field; known are ${fields.join(", ")}`);
  return body as Record<string, unknown>;
}

/** The fields that a query has too, by the query's own rules. */
function shared({ site_id, date_range, filters }: Record<string, unknown>): Asked {
  const request = parseRequest({ site_id, date_range, filters, metrics: ["events"] });
  request.filters.forEach((filter, i) => {
    const other = filteredDimensions([filter])
      .map(storedAs)
      .find((dimension) => !isOfVisit(dimension) || isOfWholeVisit(dimension));
    if (other !== undefined)
      bad(
        `filters[${i}]: ${other} cannot be tested here; filter by visit: dimensions other than exit pages and the hostnames of pages`,
      );
  });
  return { siteId: request.siteId, dateRange: request.dateRange, filters: request.filters };
}

function parseStep(value: unknown, index: number): Step {
  const field = `steps[${index}]`;
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return bad(`${field}: {"page": "/a"} or {"goal": "signup"}`);
  const entries = Object.entries(value);
  const [key, name] = entries[0] ?? [];
  if (entries.length !== 1 || (key !== "page" && key !== "goal"))
    return bad(`${field}: {"page": "/a"} or {"goal": "signup"}, and nothing else`);
  if (key === "page") {
    const pattern = text(name, `${field}.page`, LIMITS.urlChars);
    return { kind: "page", label: pattern, pattern };
  }
  const goal = text(name, `${field}.goal`, LIMITS.nameChars);
  if (goal === PAGEVIEW) bad(`${field}.goal: ${PAGEVIEW} is no goal; name a page`);
  return { kind: "goal", label: goal, goal };
}

function text(value: unknown, field: string, maxChars: number): string {
  if (typeof value !== "string" || value === "" || value.length > maxChars)
    return bad(`${field}: a text of 1 to ${maxChars} characters`);
  return value;
}

function oneOf<T extends string>(value: unknown, names: readonly T[], field: string): T {
  return names.find((name) => name === value) ?? bad(`${field}: one of ${names.join(", ")}`);
}

function wholeUpTo(value: unknown, max: number, field: string): number {
  if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > max)
    bad(`${field}: 1 to ${max}`);
  return value as number;
}
