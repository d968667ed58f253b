/** What a deployment can be asked for, and what is checked of it while somebody is looking. */
import { Duration, Token } from "aws-cdk-lib";
import type { ICertificate } from "aws-cdk-lib/aws-certificatemanager";
import type { IHostedZone } from "aws-cdk-lib/aws-route53";
import { ENV, formatSites, latenessOf, parseSites, sessionMsOf } from "../../processors/env.ts";
import type { SiteSetting } from "../../processors/model/site.ts";
import { isOwnPath, OWN_PATH_RULE, type OwnPaths } from "../ownpath.ts";
import type { ArchiveRetention } from "./archive.ts";
import type { FirewallOptions } from "./firewall.ts";
import type { SiteDomain, SiteFiles } from "./site.ts";
import type { Capacity } from "./stream.ts";
import type { UsersOptions } from "./users.ts";

export interface RivuletProps extends OwnPaths {
  /** The sites that are counted, each as `ID[@TIMEZONE]` or in its parts; events of others are refused. At least one. */
  readonly sites: readonly (string | SiteSetting)[];
  /** What the site serves, by URL path. Default: dashboard and collector; and the demo shop, if a site is called `demo`. */
  readonly files?: SiteFiles;
  /** Default: one provisioned shard. */
  readonly stream?: Capacity;
  /**
   * Gives each consumer 2 MiB/s of every shard to itself, and records within some 70 ms. It costs 0.015 dollars per shard
   * and consumer an hour and 0.013 per GB; two consumers that share fit into a shard's reads. Default: false.
   */
  readonly enhancedFanOut?: boolean;
  /** How long a record can be read again, 24 h (the default, and the cheapest) to 365 days. */
  readonly retention?: Duration;
  /** How long a minute stays open for events on their way, up to a day. Default: one minute. */
  readonly lateness?: Duration;
  /** What the API takes before it answers 429. Default: 1,000 requests a second, 2,000 at once. */
  readonly throttle?: { readonly rate: number; readonly burst: number };
  /**
   * AWS WAF before the API: bounds what one address can send, and refuses oversized bodies. It costs 8 dollars a month and
   * 1.60 per million requests, CloudFront's dollar among them because it lets nobody around; so it is off by default: then
   * one address may use up all of `throttle`, whose requests cost 300 dollars a day.
   */
  readonly firewall?: boolean | FirewallOptions;
  /**
   * Takes the address that a sender to /api/event names in X-Forwarded-For for the visitor's. For servers that report
   * on behalf of visitors; anybody else can then name any address too. Default: false.
   */
  readonly believeSenders?: boolean;
  /**
   * Who may read. `public`: whoever knows the address. `shared`: nobody without a key or a share link; `rivulet keys` and
   * `rivulet share` make them. `cognito`: besides, people who sign in at a user pool, by the groups that they are in.
   * Default: public.
   */
  readonly auth?: "public" | "shared" | { readonly cognito: UsersOptions };
  /**
   * Has pages report to the API itself instead of through CloudFront, which saves its 1 dollar per million requests. Reports
   * from far away then take a longer way, the country comes from a table that the consumers carry, and browsers see the
   * API's own host name. Not together with `firewall`. Default: unless there is a `firewall` or a `domain`, which want
   * reports under their own name.
   */
  readonly direct?: boolean;
  /**
   * `clicks`: the function that counts begins no traces and only adds to those of clicks, one in a hundred, which begin at
   * the API. `all`: it begins traces too, as every other function does. Lambda then records up to one invocation a second and
   * a twentieth of the rest, which no rule can change; its stream calls it each second, so that is 13 dollars a month and
   * shard. Default: clicks.
   */
  readonly tracing?: "all" | "clicks";
  /** Own name. Default: CloudFront's. */
  readonly domain?: string;
  /** For `domain`, of us-east-1, where CloudFront reads certificates. */
  readonly certificate?: ICertificate;
  /** Where the records of `domain` are made. Default: you point it at the distribution yourself. */
  readonly hostedZone?: IHostedZone;
  /**
   * Clicks every few minutes as a browser does, and alarms when the click is not in an answer in time. Where readers need a
   * key it asks the function that answers, which its role may call, and not through the API. Default: true.
   */
  readonly canary?: boolean;
  /**
   * Keeps a row of every counted event in Parquet files in S3, `retention` long (default: for ever), of single `sites`
   * shorter: for questions that rollups cannot answer. Default: false.
   */
  readonly archive?: boolean | ArchiveRetention;
  /** A bucket whose files are counted: access logs, CSV, JSON lines and Parquet. Default: false. */
  readonly imports?: boolean;
  /**
   * US dollars a month. When three hours would make a dearer month, an alarm says so and clicks are gathered for ten
   * seconds instead of one until it is over; nothing is dropped. Estimated at list prices; costs 0.80 dollars a month for the
   * metrics that its alarm looks at. Default: none.
   */
  readonly budget?: { readonly monthly: number };
  /** Who is told of alarms, and where they say the runbook can be read. Default: nobody, and docs/runbook.md of the repository. */
  readonly alarms?: AlarmOptions;
  /**
   * Keeps executions for each function, so that no other function of the account can starve them, and bounds the
   * bill. Off by default: a new account has ten executions in all and may not keep any.
   */
  readonly reserveConcurrency?: boolean;
}

export interface AlarmOptions {
  /** Must confirm once. Others subscribe to the topic of the output `AlarmTopic`. */
  readonly email?: string;
  /** The anchor of the alarm's section is appended. */
  readonly runbook?: string;
}

/** Lambda's environment holds 4 KB; the other variables and their names need well under a quarter of it. */
const MAX_SITES_BYTES = 3_000;

/** How long a session lasts, as the handlers' environment has it. Throws what reading it there would throw. */
export function sessionOf({ cognito }: { readonly cognito: UsersOptions }): Record<string, string> {
  const { session: length = Duration.hours(8) } = cognito;
  const environment = { [ENV.sessionMs]: String(length.toMilliseconds()) };
  sessionMsOf(environment);
  return environment;
}

/** The allowed lateness, likewise. */
export function latenessFor({
  lateness: length = Duration.minutes(1),
}: RivuletProps): Record<string, string> {
  const environment = { [ENV.lateness]: String(length.toMilliseconds()) };
  latenessOf(environment);
  return environment;
}

/** Throws when it is not a path that can be offered beside our own. */
export function checkedPath(path: string | undefined): string | undefined {
  if (path !== undefined && !isOwnPath(path)) throw new Error(`not ${OWN_PATH_RULE}: ${path}`);
  return path;
}

/** Throws when both are one path: CloudFront has one place for each, whatever the method, so one of them would be lost. */
export function checkApart({ scriptPath, ingestPath }: OwnPaths): void {
  if (scriptPath !== undefined && scriptPath === ingestPath)
    throw new Error(`scriptPath and ingestPath: both are ${scriptPath}, and each needs a path of its own`);
}

/**
 * Who may read. Throws on anything else: an app in JavaScript that says `cognito`, as the command line does, would have a
 * dashboard that nobody can sign in to.
 */
export function checkedAuth({ auth = "public" }: RivuletProps): NonNullable<RivuletProps["auth"]> {
  if (auth === "public" || auth === "shared" || (typeof auth === "object" && auth.cognito)) return auth;
  throw new Error(`auth is not public, shared or { cognito: {...} }: ${JSON.stringify(auth)}`);
}

/**
 * How long the archive keeps what, if there is one. Throws on anything else: an app in JavaScript that says `90`, as the
 * command line does, would keep rows for ever.
 */
export function archiveOf({ archive = false }: RivuletProps): ArchiveRetention | undefined {
  if (typeof archive === "boolean") return archive ? {} : undefined;
  if (typeof archive === "object") return archive;
  throw new Error(`archive is not true, false or { retention, sites }: ${JSON.stringify(archive)}`);
}

/** Who is told of alarms. Throws on an address that SNS would refuse when half of the stack is there. */
export function alarmsOf({ alarms = {} }: RivuletProps): AlarmOptions {
  const { email } = alarms;
  if (email && !Token.isUnresolved(email) && !/^[^\s@]+@[^\s@]+$/.test(email))
    throw new Error(`alarms.email is no mail address: ${email}`);
  return alarms;
}

/** The sites in their parts. Throws where there is none, and on a text that is not `ID[@TIMEZONE]`. */
export function sitesOf({ sites }: RivuletProps): SiteSetting[] {
  // Apps in JavaScript have no compiler to tell them that it is a list.
  if (!Array.isArray(sites) || sites.length === 0)
    throw new Error("sites: no list of sites, each as ID[@TIMEZONE], with at least one");
  return sites.flatMap((site) => (typeof site === "string" ? parseSites(site) : [site]));
}

/** Sites as the handlers' environment has them. Throws on a zone that does not exist, and when there are too many. */
export function checkedSites(sites: readonly SiteSetting[]): string {
  const text = formatSites(sites);
  // What the handlers will do with it, but while somebody is looking: they would read `a,b` as two sites.
  const read = formatSites(parseSites(text));
  if (read !== text) throw new Error(`sites: the handlers would read "${text}" as "${read}"`);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_SITES_BYTES) {
    throw new Error(
      `the list of sites takes ${bytes} bytes, more than the ${MAX_SITES_BYTES} that fit a function`,
    );
  }
  return text;
}

/** The own name, if there is one. Throws when it is no name, has no certificate, or something that belongs to it is given without it. */
export function domainOf({ domain: name, certificate, hostedZone }: RivuletProps): SiteDomain | undefined {
  if (name !== undefined && !Token.isUnresolved(name) && !/^[\w-]+(\.[\w-]+)+$/.test(name))
    throw new Error(`domain is not a host's name such as stats.example.com: ${name}`);
  if (name !== undefined && certificate) return { name, certificate, ...(hostedZone && { hostedZone }) };
  if (name !== undefined) throw new Error(`domain ${name}: needs a certificate, of us-east-1`);
  if (certificate || hostedZone) throw new Error("certificate and hostedZone: need the domain they are for");
  return undefined;
}

/** Whether pages report to the API itself. Throws when that is asked for together with what it would go around. */
export function reportsDirectly({ direct, firewall, domain }: RivuletProps): boolean {
  if (direct && firewall) throw new Error("direct and firewall: the firewall lets nobody around CloudFront");
  return direct ?? !(firewall || domain);
}
