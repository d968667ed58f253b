/** The whole of Rivulet as one construct: give it sites and files, get a dashboard, a collector and exact counts. */
import { CfnOutput, Duration } from "aws-cdk-lib";
import { Construct } from "constructs";
import { CANARY_SITE, ENV } from "../../processors/env.ts";
import { scriptTag } from "../scripttag.ts";
import { Aggregation } from "./aggregation.ts";
import { Alarms } from "./alarms.ts";
import { Alerting } from "./alerting.ts";
import { Archive } from "./archive.ts";
import { Budget } from "./budget.ts";
import { Canary } from "./canary.ts";
import { Compaction } from "./compaction.ts";
import { Countries } from "./countries.ts";
import { CostEstimate } from "./estimate.ts";
import { Estimating } from "./estimating.ts";
import { Expiry } from "./expiry.ts";
import { Explore } from "./explore.ts";
import { builtSiteFiles } from "./files.ts";
import { Firewall, VIEWER_HEADER } from "./firewall.ts";
import { Import } from "./import.ts";
import { Ingestion } from "./ingestion.ts";
import { checkNumber } from "./number.ts";
import { Observability } from "./observability.ts";
import type { Parts } from "./parts.ts";
import {
  alarmsOf,
  archiveOf,
  checkApart,
  checkedAuth,
  checkedPath,
  checkedSites,
  domainOf,
  latenessFor,
  type RivuletProps,
  reportsDirectly,
  sessionOf,
  sitesOf,
} from "./props.ts";
import { Rebuild } from "./rebuild.ts";
import { Serving } from "./serving.ts";
import { Site } from "./site.ts";
import { ClickStream } from "./stream.ts";
import { AnalyticsTable } from "./table.ts";
import { Users } from "./users.ts";

export type { RivuletProps } from "./props.ts";

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
  readonly expiry: Expiry | undefined;
  readonly imports: Import | undefined;
  readonly alerting: Alerting;
  readonly estimating: Estimating;
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
      throttle = { rate: 1_000, burst: 2_000 },
      canary: hasCanary = true,
      tracing = "clicks",
    } = props;
    const auth = checkedAuth(props);
    const counted = sitesOf(props);
    const sites = checkedSites([...counted, ...(hasCanary ? [{ id: CANARY_SITE, timeZone: "UTC" }] : [])]);
    const domain = domainOf(props);
    const alarms = alarmsOf(props);
    const archived = archiveOf(props);
    const direct = reportsDirectly(props);
    if (stream !== "on-demand") checkNumber("stream.shards", stream.shards, { lowest: 1 });
    checkNumber("throttle.rate", throttle.rate, { lowest: 1 });
    checkNumber("throttle.burst", throttle.burst, { lowest: 1 });
    checkApart(props);
    const reportPath = props.ingestPath ?? "/v1/events";
    const tracesInvocations = tracing === "all";
    const keep = (executions: number): number | undefined => (reserveConcurrency ? executions : undefined);
    // A split has parents and children at once; on demand nobody knows the number of shards.
    const perShard = stream === "on-demand" ? undefined : keep(stream.shards * 2);

    // The same for both: an answer must not call final what the consumer still takes for timely.
    const environment = latenessFor(props);

    this.data = new AnalyticsTable(this, "Data");
    this.clicks = new ClickStream(this, "Clicks", { capacity: stream, retention });
    const { data, clicks } = this;
    const countries = direct ? new Countries(this, "Countries") : undefined;
    this.aggregation = new Aggregation(this, "Aggregation", {
      clicks,
      data,
      sites,
      environment,
      fanOut,
      countries,
      tracesInvocations,
      concurrency: perShard,
    });
    this.archive = archived
      ? new Archive(this, "Archive", {
          clicks,
          data,
          sites,
          environment,
          fanOut,
          countries,
          keep: archived,
          concurrency: perShard,
        })
      : undefined;
    const { archive } = this;
    this.compaction = new Compaction(this, "Compaction", {
      clicks,
      data,
      sites,
      concurrency: keep(1),
    });
    this.serving = new Serving(this, "Serving", {
      data,
      environment: {
        ...environment,
        ...(auth === "public" ? {} : { [ENV.requireKey]: "1" }),
        ...(typeof auth === "object" ? sessionOf(auth) : {}),
        ...(direct && { [ENV.reportPath]: reportPath }),
      },
      concurrency: keep(20),
    });
    this.explore = archive && new Explore(this, "Explore", { archive, query: this.serving.handler });
    this.rebuild = archive && new Rebuild(this, "Rebuild", { archive, data });
    this.expiry = archive && new Expiry(this, "Expiry", { archive, data });
    this.users = typeof auth === "object" ? new Users(this, "Users", auth.cognito) : undefined;
    this.ingestion = new Ingestion(this, "Ingestion", {
      clicks,
      query: this.serving.handler,
      throttle,
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
          demo: counted.some((site) => site.id === "demo"),
          login: this.users !== undefined,
        }),
      domain,
      scriptPath: checkedPath(props.scriptPath),
      ingestPath: props.ingestPath,
      signInOrigin: this.users?.domain.baseUrl(),
    });
    // A collector may send what an older consumer does not read: it is there when the consumers are.
    this.site.node.addDependency(this.aggregation, ...(archive ? [archive] : []));
    this.imports = props.imports
      ? new Import(this, "Import", { clicks, data, sites, concurrency: keep(2) })
      : undefined;
    const url = `https://${domain?.name ?? this.site.distribution.distributionDomainName}`;
    if (this.users) this.site.offerSignIn(this.users.admit(url));
    const reportUrl = direct ? this.ingestion.api.urlForPath(reportPath) : url + reportPath;
    this.canary = hasCanary
      ? new Canary(this, "Canary", {
          data,
          url,
          reportUrl,
          reader: auth === "public" ? undefined : this.serving.handler,
        })
      : undefined;
    this.alerting = new Alerting(this, "Alerting", { data, url, environment });
    const { ingestion, aggregation, compaction, serving } = this;
    const parts: Parts = { clicks, data, ingestion, aggregation, compaction, serving };
    const estimate = new CostEstimate({
      capacity: stream,
      readers: archive ? 2 : 1,
      fanOut,
      hasFirewall: firewall !== undefined,
      direct,
      tracing,
      ...parts,
    });
    this.estimating = new Estimating(this, "Estimating", { data, estimate });
    this.budget = props.budget && new Budget(this, "Budget", { ...props.budget, aggregation });
    this.alarms = new Alarms(this, "Alarms", {
      ...parts,
      alerting: this.alerting,
      archive,
      expiry: this.expiry,
      budget: this.budget,
      estimate,
      canary: this.canary,
      firewall: this.firewall,
      imports: this.imports,
      ...alarms,
    });
    this.observability = new Observability(this, "Observability", {
      ...parts,
      estimate,
      canary: this.canary,
      firewall: this.firewall,
    });

    this.#output(url, tag(url, counted[0]!.id, reportUrl, props.scriptPath));
  }

  /** What a deployment prints. */
  #output(url: string, snippet: string): void {
    const { aggregation, data, clicks } = this;
    const outputs: readonly (readonly [id: string, value: string | undefined, description: string])[] = [
      ["Dashboard", `${url}/`, "Dashboard"],
      ["Snippet", snippet, "Paste this into the pages of your site"],
      [
        "Operations",
        this.observability.url,
        "Graphs for the operator: freshness, failures, and what a month costs",
      ],
      ["AlarmTopic", this.alarms.topic.topicArn, "Subscribe to be told"],
      [
        "AlertTopic",
        this.alerting.topic.topicArn,
        "Subscribe to be told of traffic, as the rules of `rivulet alerts` say",
      ],
      ["FailedBatches", aggregation.reader.failures.bucketName, "Batches that were given up"],
      ["UserPool", this.users?.pool.userPoolId, "Invite people here, and put them into groups"],
      ["ArchiveBucket", this.archive?.bucket.bucketName, "Every event that was counted"],
      [
        "RebuildStateMachine",
        this.rebuild?.stateMachine.stateMachineArn,
        "Start it to count again from the archive",
      ],
      ["ImportBucket", this.imports?.bucket.bucketName, "Put files under imports/SITE/ to have them counted"],
      ["TableName", data.table.tableName, "Everything counted"],
      ["StreamName", clicks.stream.streamName, "Clicks of the last day"],
    ];
    for (const [id, value, description] of outputs)
      if (value !== undefined) new CfnOutput(this, id, { value, description });
  }
}

/** What to paste for the first site; it says where to report to unless that is where the script comes from. */
function tag(url: string, site: string, reportUrl: string, scriptPath = "/c.js"): string {
  const reportTo = reportUrl === `${url}/v1/events` ? undefined : reportUrl;
  return scriptTag({ script: url + scriptPath, site, reportTo });
}
