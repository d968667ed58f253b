/**
 * Names and forms of the environment variables that infrastructure sets and handlers read; both worlds import this,
 * so it depends on neither. A missing or odd value is a `config` error that names the variable.
 */
import { ClickstreamError } from "./errors.ts";
import { isSiteId, SITE_ID_RULE, type SiteSetting } from "./model/site.ts";
import { DAY_MS } from "./model/time.ts";
import { isTimeZone } from "./model/zone.ts";

export const ENV = {
  /** Name of the table that holds commits, visitor states and rollups. */
  table: "RIVULET_TABLE",
  /** Name of the stream that the table's commits are read from. */
  stream: "RIVULET_STREAM",
  /** "1": readers need a key or a share link. Unset: they need none. */
  requireKey: "RIVULET_REQUIRE_KEY",
  /** How long a session lasts after signing in, whole ms. Unset: nobody can sign in. */
  sessionMs: "RIVULET_SESSION_MS",
  /** How long a minute stays open for events on their way, whole ms. Unset: ALLOWED_LATENESS_MS. */
  lateness: "RIVULET_LATENESS_MS",
  /** The origin that browsers use, without a slash at its end. */
  url: "RIVULET_URL",
  /** Where pages report to. */
  reportUrl: "RIVULET_REPORT_URL",
  /** Path of the API where pages report to it past CloudFront. Unset: they report to the dashboard's origin. */
  reportPath: "RIVULET_REPORT_PATH",
  /** Name of the function that answers readers, for who may call it itself. */
  queryFunction: "RIVULET_QUERY_FUNCTION",
  /** ARN of the topic that alerts about traffic go to. */
  alertTopic: "RIVULET_ALERT_TOPIC",
  /** Milliseconds within which the canary's click must be in an answer. */
  canaryMs: "RIVULET_CANARY_MS",
  /** Name of the delivery stream that takes the archive's rows. */
  archive: "RIVULET_ARCHIVE",
  /** Name of the bucket that holds the archive's files. */
  archiveBucket: "RIVULET_ARCHIVE_BUCKET",
  /** Athena's workgroup for questions to the archive. Unset: no archive is kept. */
  workgroup: "RIVULET_WORKGROUP",
  /** Glue database of the archive's table. */
  database: "RIVULET_DATABASE",
  /** ARN of the topic that tells of objects to import. */
  importTopic: "RIVULET_IMPORT_TOPIC",
  /** UUID of the event source mapping of counting; how long it gathers clicks as a rule, and when money is short, seconds. */
  mapping: "RIVULET_MAPPING",
  usualWindow: "RIVULET_USUAL_WINDOW_S",
  thriftyWindow: "RIVULET_THRIFTY_WINDOW_S",
  /** The terms of the estimate of what a month costs, as JSON. */
  estimate: "RIVULET_ESTIMATE",
  /** Path of the table of countries. Unset: CloudFront says where a visitor is. */
  countries: "RIVULET_COUNTRIES",
  /** The registered sites, as `formatSites` writes them. */
  sites: "RIVULET_SITES",
} as const;

/** Of a session; by its prefix browsers take it over TLS only. */
export const SESSION_COOKIE = "__Secure-rivulet";

/** Where a browser signs in. */
export const SIGN_IN_PATH = "/login/";

/** Counts the clicks that the operator's canary makes. */
export const CANARY_SITE = "_canary";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The variable's value. Throws `config` when it is unset or empty: a handler must not guess. */
export function requireEnv(environment: Environment, name: string): string {
  const value = environment[name];
  if (!value) throw new ClickstreamError("config", `environment variable ${name} is not set`);
  return value;
}

/** The variable's value as a whole number, 0 or more. Throws `config`. */
export function wholeNumberOf(environment: Environment, name: string): number {
  const text = requireEnv(environment, name);
  if (!/^\d{1,15}$/.test(text))
    throw new ClickstreamError("config", `environment variable ${name}: "${text}" is not a whole number`);
  return Number(text);
}

/** What an hour costs: dollars that are due anyway, and for each metric dollars for one of its sum. */
export interface EstimateTerms {
  readonly fixed: number;
  readonly used: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly dimensions: Readonly<Record<string, string>>;
    readonly price: number;
  }[];
}

/** The terms as infrastructure wrote them. Throws `config`. */
export function estimateTermsOf(environment: Environment): EstimateTerms {
  const text = requireEnv(environment, ENV.estimate);
  try {
    return JSON.parse(text) as EstimateTerms;
  } catch (cause) {
    throw new ClickstreamError("config", `environment variable ${ENV.estimate} is not JSON`, { cause });
  }
}

/** A day: what comes later is an offline queue, and no answer could wait for it. */
export const MAX_LATENESS_MS = DAY_MS;

/** The allowed lateness as the pipeline takes it; empty when the variable is unset. Throws `config`. */
export function latenessOf(environment: Environment): { readonly allowedLatenessMs?: number } {
  const allowedLatenessMs = msOf(environment, ENV.lateness, { least: 0, most: MAX_LATENESS_MS });
  return allowedLatenessMs === undefined ? {} : { allowedLatenessMs };
}

/** Who was taken out of a group reads on until the session ends: a day of that is enough. */
const MAX_SESSION_MS = DAY_MS;

/** How long a session lasts; undefined where nobody can sign in. Throws `config`. */
export const sessionMsOf = (environment: Environment): number | undefined =>
  msOf(environment, ENV.sessionMs, { least: 1, most: MAX_SESSION_MS });

/** The variable's value as a span of time; undefined when it is unset. Throws `config`. */
function msOf(
  environment: Environment,
  name: string,
  { least, most }: { readonly least: number; readonly most: number },
): number | undefined {
  const text = environment[name];
  if (!text) return undefined;
  const ms = Number(text);
  if (!(Number.isInteger(ms) && ms >= least && ms <= most))
    throw new ClickstreamError(
      "config",
      `environment variable ${name}: "${text}" is not ${least} to ${most} whole milliseconds`,
    );
  return ms;
}

/** `ID[@TIMEZONE]` separated by commas, the form of the `--site` flag; UTC where no zone is given. Throws `config`, also for an id that no site can have. */
export function parseSites(text: string): SiteSetting[] {
  const sites = text.split(",").map((entry) => {
    const [id = "", timeZone = "UTC", ...rest] = entry.trim().split("@");
    if (id === "" || rest.length > 0 || !isTimeZone(timeZone)) {
      throw new ClickstreamError(
        "config",
        `site "${entry.trim()}" is not ID[@TIMEZONE] with an IANA time zone`,
      );
    }
    // Whoever registers the sites would refuse it, and count nothing of the others.
    if (!isSiteId(id)) throw new ClickstreamError("config", `site id "${id}": ${SITE_ID_RULE}`);
    return { id, timeZone };
  });
  const repeated = sites.find((site, at) => sites.findIndex((other) => other.id === site.id) !== at);
  if (repeated) throw new ClickstreamError("config", `site "${repeated.id}" is named twice`);
  return sites;
}

/** The inverse of `parseSites`. */
export const formatSites = (sites: readonly SiteSetting[]): string =>
  sites.map(({ id, timeZone }) => `${id}@${timeZone}`).join(",");
