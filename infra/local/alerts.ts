/** Adds `alerts` to the program: the rules of a site, on the data of a running or a stopped server alike. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { systemClock } from "../../processors/clock.ts";
import { randomBytes } from "../../processors/crypto.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import { webhookNotifier } from "../../processors/notifiers/webhook.ts";
import {
  ALERT_KINDS,
  ALERT_METRICS,
  type AlertRule,
  addRule,
  listRules,
  ruleOf,
  TAKES,
} from "../../processors/pipeline/alerts/rules.ts";
import { removeRule } from "../../processors/pipeline/alerts/watch.ts";
import { checkCounted, type DataFlags, type Open, printList, withData } from "./data.ts";
import type { Terminal } from "./terminal.ts";

interface SiteFlags extends DataFlags {
  readonly site: string;
}
interface AddFlags extends SiteFlags {
  readonly metric?: string;
  readonly limit?: number;
  readonly minutes?: number;
  readonly holdOff?: number;
  readonly webhook?: string;
}

/** A table may be a deployment's, or that of a server on one machine. */
const TOPIC_ONLY =
  "a deployment on AWS posts to no webhook: it tells the topic that the stack prints as AlertTopic, which programs can subscribe to";

const amount = (text: string): number => {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError(`${text} is no number`);
  return value;
};

export function addAlerts(program: Command, terminal: Terminal, open: Open): void {
  const commands = program
    .command("alerts")
    .description("add, list and remove what a site's owner wants to be told of");
  const withSite = (name: string): Command =>
    withData(commands.command(name)).requiredOption("--site <id>", "the site that it is for");

  withSite("add <kind>")
    .description(`be told of a ${ALERT_KINDS.join(", ")}; a running server begins within a minute`)
    .addOption(new Option("--metric <name>", "what is counted").choices([...ALERT_METRICS]))
    .option(
      "--limit <number>",
      "the number that is too many or too few; docs/alerts.md has each kind's unit",
      amount,
    )
    .option("--minutes <number>", "how far to look back", amount)
    .option("--hold-off <minutes>", "do not tell the same again for so long", amount)
    .option("--webhook <url>", "post each alert there as JSON")
    .action(async (kind: string, { site, holdOff, ...flags }: AddFlags) => {
      const rule = await open(flags, false, async (store) => {
        await checkCounted(store, site);
        const id = Buffer.from(randomBytes(4)).toString("hex");
        const { metric, limit, minutes, webhook } = flags;
        const asked = { kind, metric, limit, minutes, holdOffMinutes: holdOff, webhook };
        const made = ruleOf(site, id, systemClock.now(), asked);
        await addRule(store, made);
        return made;
      });
      terminal.print(describeRule(rule));
      if (!rule.webhook && !flags.store)
        terminal.warn("without --webhook it is posted nowhere: the dashboard shows it while it goes on");
      if (rule.webhook && flags.store) terminal.warn(TOPIC_ONLY);
    });

  withSite("list")
    .description("the rules of a site")
    .action(async ({ site, ...flags }: SiteFlags) => {
      const rules = await open(flags, false, async (store) => {
        await checkCounted(store, site);
        return listRules(store, site);
      });
      printList(terminal, rules.map(describeRule), `site "${site}" has no rule`);
    });

  withSite("rm <id>")
    .description("be told no more")
    .action(async (id: string, { site, ...flags }: SiteFlags) => {
      if (!(await open(flags, false, (store) => removeRule({ store, clock: systemClock }, site, id))))
        throw new ClickstreamError("config", `site "${site}" has no rule ${id}`);
      terminal.print(`rule ${id} is gone`);
    });

  withSite("test <id>")
    .description("post an example to the rule's webhook, to see that it arrives")
    .action(async (id: string, { site, ...flags }: SiteFlags) => {
      const rule = (await open(flags, false, (store) => listRules(store, site))).find(
        (known) => known.id === id,
      );
      if (!rule) throw new ClickstreamError("config", `site "${site}" has no rule ${id}`);
      if (!rule.webhook) throw new ClickstreamError("config", `rule ${id} has no webhook`);
      const now = systemClock.now();
      await webhookNotifier().notify(
        {
          id: `${id}-test-${now}`,
          rule: id,
          site,
          kind: rule.kind,
          state: "firing",
          since: now,
          at: now,
          value: 0,
          expected: 0,
          text: `${site}: a test of the alert "${rule.kind}". Nothing is wrong.`,
          url: "",
        },
        { webhook: rule.webhook },
      );
      terminal.print(`it was taken at ${new URL(rule.webhook).host}`);
      if (flags.store) terminal.warn(TOPIC_ONLY);
    });
}

/** The address of a webhook is a secret of its service: its host says enough. */
const describeRule = ({ id, kind, metric, limit, minutes, holdOffMs, webhook }: AlertRule): string =>
  [
    id,
    kind,
    ...(TAKES[kind].includes("metric") ? [metric] : []),
    ...(TAKES[kind].includes("limit") ? [`limit ${limit}`] : []),
    `${minutes} min`,
    `hold-off ${holdOffMs / 60_000} min`,
    ...(webhook ? [`to ${new URL(webhook).host}`] : []),
  ].join("\t");
