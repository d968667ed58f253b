/** The whole of Rivulet as one construct: give it sites and files, get a dashboard, a collector and exact counts. */
import { CfnOutput, Duration } from "aws-cdk-lib";
import { Construct } from "constructs";
import {
  CANARY_SITE,
  ENV,
  formatSites,
  latenessOf,
  parseSites,
  type SiteSetting,
  sessionMsOf,
} from "../../processors/env.ts";
import { isOwnPath, OWN_PATH_RULE, type OwnPaths } from "../ownpath.ts";
import { Aggregation } from "./aggregation.ts";
import { Alarms } from "./alarms.ts";
import { Alerting } from "./alerting.ts";
import { Archive, type ArchiveRetention } from "./archive.ts";
import { Budget } from "./budget.ts";
import { Canary } from "./canary.ts";
import { Compaction } from "./compaction.ts";
import { CostEstimate } from "./estimate.ts";
import { Explore } from "./explore.ts";
import { builtSiteFiles } from "./files.ts";
import { Firewall, type FirewallOptions, VIEWER_HEADER } from "./firewall.ts";
import { Import } from "./import.ts";
import { Ingestion } from "./ingestion.ts";
import { Observability } from "./observability.ts";
import { Rebuild } from "./rebuild.ts";
import { Serving } from "./serving.ts";
import { Site, type SiteDomain, type SiteFiles } from "./site.ts";
import { type Capacity, ClickStream } from "./stream.ts";
import { AnalyticsTable } from "./table.ts";
import { Users, type UsersOptions } from "./users.ts";

export interface RivuletProps extends OwnPaths {
  /** The sites that are counted; events of others are refused. At least one. */
  readonly sites: readonly SiteSetting[];
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
   * AWS WAF before the API: bounds what one address can send. It costs 8 dollars a month and 0.60 per million requests,
   * most of an idle system once more, so it is off by default: then one address may use up all of `throttle`, whose
   * requests cost 300 dollars a day.
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
   * API's own host name. Not together with `firewall`. Default: false.
   */
  readonly direct?: boolean;
  /**
   * `all`: every function begins traces. Lambda then records up to one invocation a second and a twentieth of the rest,
   * which no rule can change; of a consumer that its stream calls each second that is nearly each, 13 dollars a month and
   * shard. `clicks`: the stream's consumers begin none, and only add to the traces of clicks. Default: all.
   */
  readonly tracing?: "all" | "clicks";
  /** Own name, with a certificate of us-east-1. Default: CloudFront's. */
  readonly domain?: SiteDomain;
  /**
   * Clicks every few minutes, and alarms when the click is not in an answer in time. It reads as anybody may, so it is
   * off where readers need a key. Default: true.
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
   * seconds instead of one until it is over; nothing is dropped. Estimated at list prices; costs a dollar a month for the
   * metrics that its alarm looks at. Default: none.
   */
  readonly budget?: { readonly monthly: number };
  /** Who is told of alarms. */
  readonly alarmEmail?: string;
  /** Where the runbook can be read. Default: docs/runbook.md of the repository. */
  readonly runbook?: string;
  /**
   * Keeps executions for each function, so that no other function of the account can starve them, and bounds the
   * bill. Off by default: a new account has ten executions in all and may not keep any.
   */
  readonly reserveConcurrency?: boolean;
}

/** Lambda's environment holds 4 KB; the other variables and their names need well under a quarter of it. */
const MAX_SITES_BYTES = 3_000;

export class Rivulet extends Construct {
  readonly data: AnalyticsTable;
  readonly clicks: ClickStream;
  readonly ingestion: Ingestion;
  readonly aggregation: Aggregation;
  readonly compaction: Compaction;
  readonly serving: Serving;
  readonly firewall: Firewall | undefined;
  readonly users: Users | undefined;
  readonly site: Site;
  readonly canary: Canary | undefined;
  readonly archive: Archive | undefined;
  readonly explore: Explore | undefined;
  readonly rebuild: Rebuild | undefined;
  readonly imports: Import | undefined;
  readonly alerting: Alerting;
  readonly budget: Budget | undefined;
  readonly alarms: Alarms;
  readonly observability: Observability;

  constructor(scope: Construct, id: string, props: RivuletProps) {
    super(scope, id);
    const {
      stream = { shards: 1 },
      retention = Duration.hours(24),
      reserveConcurrency = false,
      enhancedFanOut: fanOut = false,
    } = props;
    const { auth = "public" } = props;
    const hasCanary = (props.canary ?? true) && auth === "public";
    const sites = checkedSites([
      ...props.sites,
      ...(hasCanary ? [{ id: CANARY_SITE, timeZone: "UTC" }] : []),
    ]);
    const knowsCountries = props.direct ?? false;
    const tracesInvocations = (props.tracing ?? "all") === "all";
    if (props.direct && props.firewall)
      throw new Error("direct and firewall: the firewall lets nobody around CloudFront");
    const keep = (executions: number): number | undefined => (reserveConcurrency ? executions : undefined);

    // The same for both: an answer must not call final what the consumer still takes for timely.
    const environment = lateness(props.lateness);

    this.data = new AnalyticsTable(this, "Data");
    this.clicks = new ClickStream(this, "Clicks", { capacity: stream, retention });
    this.aggregation = new Aggregation(this, "Aggregation", {
      clicks: this.clicks,
      data: this.data,
      sites,
      environment,
      fanOut,
      knowsCountries,
      tracesInvocations,
      // A split has parents and children at once; on demand nobody knows the number of shards.
      concurrency: stream === "on-demand" ? undefined : keep(stream.shards * 2),
    });
    this.archive = props.archive
      ? new Archive(this, "Archive", {
          clicks: this.clicks,
          data: this.data,
          sites,
          environment,
          fanOut,
          knowsCountries,
          tracesInvocations,
          keep: props.archive === true ? {} : props.archive,
          concurrency: stream === "on-demand" ? undefined : keep(stream.shards * 2),
        })
      : undefined;
    this.compaction = new Compaction(this, "Compaction", {
      clicks: this.clicks,
      data: this.data,
      sites,
      concurrency: keep(1),
    });
    this.serving = new Serving(this, "Serving", {
      data: this.data,
      environment: {
        ...environment,
        ...(auth === "public" ? {} : { [ENV.requireKey]: "1" }),
        ...(typeof auth === "object" ? session(auth.cognito.session) : {}),
      },
      concurrency: keep(20),
    });
    this.explore = this.archive
      ? new Explore(this, "Explore", { archive: this.archive, query: this.serving.handler })
      : undefined;
    this.rebuild = this.archive
      ? new Rebuild(this, "Rebuild", { archive: this.archive, data: this.data })
      : undefined;
    this.users = typeof auth === "object" ? new Users(this, "Users", auth.cognito) : undefined;
    this.ingestion = new Ingestion(this, "Ingestion", {
      clicks: this.clicks,
      query: this.serving.handler,
      throttle: props.throttle ?? { rate: 1_000, burst: 2_000 },
      believeSenders: props.believeSenders ?? false,
      ingestPath: checkedPath(props.ingestPath),
      users: this.users,
    });
    const firewall = props.firewall === true ? {} : props.firewall || undefined;
    this.firewall = firewall && new Firewall(this, "Firewall", { ingestion: this.ingestion, ...firewall });
    this.site = new Site(this, "Site", {
      ingestion: this.ingestion,
      viewerHeader: firewall && VIEWER_HEADER,
      edgeAclArn: firewall?.edgeAclArn,
      files:
        props.files ??
        builtSiteFiles({
          demo: props.sites.some((site) => site.id === "demo"),
          login: this.users !== undefined,
        }),
      domain: props.domain,
      scriptPath: checkedPath(props.scriptPath),
      ingestPath: props.ingestPath,
      signInOrigin: this.users?.domain.baseUrl(),
    });
    // A collector may send what an older consumer does not read: it is there when the consumers are.
    this.site.node.addDependency(this.aggregation, ...(this.archive ? [this.archive] : []));
    this.imports = props.imports
      ? new Import(this, "Import", { clicks: this.clicks, data: this.data, sites, concurrency: keep(2) })
      : undefined;
    const url = `https://${props.domain?.name ?? this.site.distribution.distributionDomainName}`;
    if (this.users) this.site.offerSignIn(this.users.admit(url));
    this.canary = hasCanary ? new Canary(this, "Canary", { data: this.data, url }) : undefined;
    this.alerting = new Alerting(this, "Alerting", { data: this.data, url, environment });
    const { clicks, data, ingestion, aggregation, compaction, serving } = this;
    const estimate = new CostEstimate({
      capacity: stream,
      hasFirewall: firewall !== undefined,
      direct: props.direct ?? false,
      tracing: props.tracing ?? "all",
      ...{ clicks, data, ingestion, aggregation, compaction, serving },
    });
    this.budget = props.budget && new Budget(this, "Budget", { ...props.budget, aggregation });
    this.alarms = new Alarms(this, "Alarms", {
      data: this.data,
      alerting: this.alerting,
      archive: this.archive,
      budget: this.budget,
      estimate,
      canary: this.canary,
      clicks: this.clicks,
      ingestion: this.ingestion,
      firewall: this.firewall,
      aggregation: this.aggregation,
      compaction: this.compaction,
      serving: this.serving,
      imports: this.imports,
      email: props.alarmEmail,
      runbook: props.runbook ?? "docs/runbook.md",
    });
    this.observability = new Observability(this, "Observability", {
      ...{ clicks, data, ingestion, aggregation, compaction, serving, estimate },
      canary: this.canary,
      firewall: this.firewall,
    });

    const ownPath = props.ingestPath && url + props.ingestPath;
    const reportTo = props.direct ? this.ingestion.api.urlForPath(props.ingestPath ?? "/v1/events") : ownPath;
    new CfnOutput(this, "Dashboard", { value: `${url}/`, description: "Dashboard" });
    new CfnOutput(this, "Snippet", {
      value: tag(url, props, reportTo),
      description: "Paste this into the pages of your site",
    });
    new CfnOutput(this, "AlarmTopic", {
      value: this.alarms.topic.topicArn,
      description: "Subscribe to be told",
    });
    new CfnOutput(this, "AlertTopic", {
      value: this.alerting.topic.topicArn,
      description: "Subscribe to be told of traffic, as the rules of `rivulet alerts` say",
    });
    new CfnOutput(this, "FailedBatches", {
      value: this.aggregation.reader.failures.bucketName,
      description: "Batches that were given up",
    });
    if (this.users)
      new CfnOutput(this, "UserPool", {
        value: this.users.pool.userPoolId,
        description: "Invite people here, and put them into groups",
      });
    if (this.archive)
      new CfnOutput(this, "ArchiveBucket", {
        value: this.archive.bucket.bucketName,
        description: "Every event that was counted",
      });
    if (this.rebuild)
      new CfnOutput(this, "RebuildStateMachine", {
        value: this.rebuild.stateMachine.stateMachineArn,
        description: "Start it to count again from the archive",
      });
    if (this.imports)
      new CfnOutput(this, "ImportBucket", {
        value: this.imports.bucket.bucketName,
        description: "Put files under imports/SITE/ to have them counted",
      });
    new CfnOutput(this, "TableName", { value: this.data.table.tableName, description: "Everything counted" });
    new CfnOutput(this, "StreamName", {
      value: this.clicks.stream.streamName,
      description: "Clicks of the last day",
    });
  }
}

function session(length = Duration.hours(8)): Record<string, string> {
  const environment = { [ENV.sessionMs]: String(length.toMilliseconds()) };
  sessionMsOf(environment);
  return environment;
}

/** As the handlers' environment has it; checked by what reads it there. */
function lateness(length = Duration.minutes(1)): Record<string, string> {
  const environment = { [ENV.lateness]: String(length.toMilliseconds()) };
  latenessOf(environment);
  return environment;
}

function checkedPath(path: string | undefined): string | undefined {
  if (path !== undefined && !isOwnPath(path)) throw new Error(`not ${OWN_PATH_RULE}: ${path}`);
  return path;
}

/** What to paste for the first site. */
const tag = (url: string, { sites, scriptPath = "/c.js" }: RivuletProps, reportTo?: string): string =>
  `<script defer src="${url}${scriptPath}"${reportTo === undefined ? "" : ` data-api="${reportTo}"`} data-site="${sites[0]!.id}"></script>`;

function checkedSites(sites: readonly SiteSetting[]): string {
  const text = formatSites(sites);
  parseSites(text); // what the handlers will do with it, but while somebody is looking
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_SITES_BYTES) {
    throw new Error(
      `the list of sites takes ${bytes} bytes, more than the ${MAX_SITES_BYTES} that fit a function`,
    );
  }
  return text;
}
