/** `cdk deploy` starts here: reads the context of cdk.json and the command line, and makes one stack of one Rivulet. */
import { App, Duration, Stack, Tags } from "aws-cdk-lib";
import { Certificate } from "aws-cdk-lib/aws-certificatemanager";
import { parseSites } from "../../processors/env.ts";
import type { SiteSetting } from "../../processors/model/site.ts";
import { acknowledge } from "./acknowledgements.ts";
import { siteFiles } from "./files.ts";
import { Rivulet, type RivuletProps } from "./rivulet.ts";
import type { SiteFiles } from "./site.ts";

/** A stack from context values, all text: sites, stack, shards, enhancedFanOut, retentionHours, latenessSeconds, domain, certificate, scriptPath, ingestPath, direct, tracing, firewall, budget, alarmEmail, runbook, believeSenders, auth, archive, imports, reserveConcurrency. */
export function rivuletStack(app: App, files: SiteFiles): { stack: Stack; rivulet: Rivulet } {
  const text = (key: string): string | undefined => {
    const value: unknown = app.node.tryGetContext(key);
    return value === undefined || value === "" ? undefined : String(value);
  };
  /** Throws on anything else: whoever wrote `firewall=yes` would be left without one. */
  const flag = (key: string): boolean | undefined => {
    const value = text(key);
    if (value === undefined) return undefined;
    if (value === "true" || value === "false") return value === "true";
    throw new Error(`${key} is not true or false: ${value}`);
  };
  const stack = new Stack(app, text("stack") ?? "Rivulet", {
    description: "Rivulet: real-time clickstream analytics",
    // The account and region of the command line's credentials: without them the template fits any.
    env: { account: process.env.CDK_DEFAULT_ACCOUNT, region: process.env.CDK_DEFAULT_REGION },
  });
  const certificate = text("certificate");
  const budget = text("budget");
  const props: RivuletProps = {
    files,
    sites: sitesOf(app),
    stream: capacity(text("shards") ?? "1"),
    enhancedFanOut: flag("enhancedFanOut"),
    retention: Duration.hours(wholeNumber("retentionHours", text("retentionHours") ?? "24")),
    lateness: Duration.seconds(wholeNumber("latenessSeconds", text("latenessSeconds") ?? "60")),
    direct: flag("direct"),
    tracing: tracing(text("tracing")),
    firewall: flag("firewall"),
    believeSenders: flag("believeSenders"),
    auth: auth(text("auth")),
    archive: archive(text("archive")),
    imports: flag("imports"),
    reserveConcurrency: flag("reserveConcurrency"),
    domain: text("domain"),
    certificate: certificate ? Certificate.fromCertificateArn(stack, "Certificate", certificate) : undefined,
    scriptPath: text("scriptPath"),
    ingestPath: text("ingestPath"),
    budget: budget ? { monthly: wholeNumber("budget", budget) } : undefined,
    alarms: { email: text("alarmEmail"), runbook: text("runbook") },
  };
  const rivulet = new Rivulet(stack, "Rivulet", props);
  Tags.of(stack).add("app", "rivulet");
  return { stack, rivulet };
}

/** The site `demo` if none is named, as on one machine. */
const sitesOf = (app: App): SiteSetting[] => parseSites(String(app.node.tryGetContext("sites") || "demo"));

function tracing(value = "clicks"): NonNullable<RivuletProps["tracing"]> {
  if (value === "clicks" || value === "all") return value;
  throw new Error(`tracing is not clicks or all: ${value}`);
}

function auth(value = "public"): NonNullable<RivuletProps["auth"]> {
  if (value === "public" || value === "shared") return value;
  if (value === "cognito") return { cognito: {} };
  throw new Error(`auth is not public, shared or cognito: ${value}`);
}

/** `true`, or for how many days: of all sites, and of single ones as `730,example.com:90`. */
function archive(value = "false"): NonNullable<RivuletProps["archive"]> {
  if (value === "true" || value === "false") return value === "true";
  // A site's id may have colons of its own.
  const entries = value.split(",").map((entry) => entry.trim().split(/:(?=[^:]*$)/));
  const named = entries.map(([site, own]) => (own === undefined ? "all sites" : site));
  const repeated = named.find((name, at) => named.indexOf(name) !== at);
  if (repeated !== undefined) throw new Error(`archive names ${repeated} twice: ${value}`);
  const days = (text = ""): Duration => Duration.days(wholeNumber("archive", text));
  const general = entries.find(([, own]) => own === undefined)?.[0];
  const sites = entries.flatMap(([site = "", own]) =>
    own === undefined ? [] : [[site, days(own)] as const],
  );
  return {
    ...(general === undefined || general === "true" ? {} : { retention: days(general) }),
    ...(sites.length > 0 && { sites: Object.fromEntries(sites) }),
  };
}

const capacity = (text: string): NonNullable<RivuletProps["stream"]> =>
  text === "on-demand" ? text : { shards: wholeNumber("shards", text) };

function wholeNumber(key: string, text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Error(`${key} is not a whole number above zero: ${text}`);
  return Number(text);
}

if (import.meta.main) {
  const app = new App();
  const files = await siteFiles({
    demo: sitesOf(app).some(({ id }) => id === "demo"),
    login: app.node.tryGetContext("auth") === "cognito",
  });
  acknowledge(rivuletStack(app, files).rivulet);
  app.synth();
}
