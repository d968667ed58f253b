/** Commands that manage sites, keys and share links, on the data of a running or a stopped server alike. */
import { type Command, Option } from "commander";
import { systemClock } from "../../processors/clock.ts";
import { randomBytes, secrets } from "../../processors/crypto.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import { createGrant, type Grant, listGrants, removeGrant } from "../../processors/pipeline/access.ts";
import { changedKeep, describeKeep, type KeepSetting } from "../../processors/pipeline/expiry.ts";
import {
  activeSites,
  keepSite,
  listSites,
  registerSites,
  removeSite,
} from "../../processors/pipeline/sites.ts";
import { addAlerts } from "./alerts.ts";
import { checkCounted, type DataFlags, dataFlags, type Open, opener, printList, withData } from "./data.ts";
import { days, keptDays, label, origin, site } from "./flags.ts";
import { shareUrl } from "./shareurl.ts";
import type { Terminal } from "./terminal.ts";

interface GrantFlags extends DataFlags {
  readonly site: string;
  readonly label?: string;
  readonly mayWrite?: boolean;
}

/** Adds `sites`, `keys`, `share` and `alerts` to the program. A running server notices changes within five seconds. */
export function addManagement(program: Command, terminal: Terminal): void {
  const open = opener(terminal.log);
  addSites(program, terminal, open);
  addGrants(program, terminal, open, "key");
  addGrants(program, terminal, open, "share");
  addAlerts(program, terminal, open);
}

// --- sites --------------------------------------------------------------------------------------------------------

function addSites(program: Command, terminal: Terminal, open: Open): void {
  const commands = program.command("sites").description("add, list and remove the sites that are counted");
  withKeep(withData(commands.command("add <id[@timezone]>")))
    .description("count a site; a running server begins within 5 seconds")
    .action(async (text: string, flags: DataFlags & KeepFlags) => {
      const wanted = await open(flags, true, async (store) => {
        const named = site(text);
        // Brought back without a zone, it has the one that its hours are in.
        const known = text.includes("@") ? [] : await listSites(store);
        const setting = known.find(({ id }) => id === named.id) ?? named;
        // Before it is counted: days that cannot be must not leave half of what was asked for.
        if (isKeepAsked(flags)) changedKeep(setting, keepOf(flags), systemClock.now());
        await registerSites(store, systemClock, [setting]);
        if (isKeepAsked(flags)) await keepSite(store, systemClock, setting.id, keepOf(flags));
        return setting;
      });
      terminal.print(`${wanted.id} is counted, with days of ${wanted.timeZone}`);
    });
  withKeep(withData(commands.command("set <id>")))
    .description(
      "how long the data of a site are kept; what is older is not shown from then on, and deleted later",
    )
    .action(async (id: string, flags: DataFlags & KeepFlags) => {
      if (!isKeepAsked(flags))
        throw new ClickstreamError(
          "config",
          "nothing to set: --keep-minutes, --keep-hours or --keep-archive",
        );
      const changed = await open(flags, false, (store) => keepSite(store, systemClock, id, keepOf(flags)));
      if (!changed) throw new ClickstreamError("config", `site "${id}" is not registered`);
      const kept = describeKeep(changed);
      terminal.print(
        kept === ""
          ? `${id} keeps hours and archive for ever`
          : `${id} keeps ${kept}; what is older is not shown from now on and deleted from an hour on`,
      );
    });
  withData(commands.command("list"))
    .description(
      "the sites that are counted, their time zones, and how long data are kept where that is not the default",
    )
    .action(async (flags: DataFlags) => {
      const found = await open(flags, false, activeSites);
      printList(
        terminal,
        found.map((site) =>
          [site.id, site.timeZone, describeKeep(site)].filter((part) => part !== "").join("\t"),
        ),
        'no site is counted; "rivulet sites add" adds one',
      );
    });
  withData(commands.command("rm <id>"))
    .description("stop counting a site; its numbers are kept, and come back when it is added again")
    .action(async (id: string, flags: DataFlags) => {
      const removed = await open(flags, false, (store) => removeSite(store, systemClock, id));
      if (!removed) throw new ClickstreamError("config", `site "${id}" is not registered`);
      terminal.print(
        `${id} is not counted any more: its events are refused as unknown_site. What was counted is kept; "rivulet sites add" brings it back.`,
      );
    });
}

interface KeepFlags {
  readonly keepMinutes?: number;
  readonly keepHours?: number;
  readonly keepArchive?: number;
}

const withKeep = (command: Command): Command =>
  command
    .option("--keep-minutes <days>", "minutes, from 8d (the default) to 90d", keptDays)
    .option(
      "--keep-hours <days>",
      "hours and days, as 400d or 3y, at least 30d; or forever (the default)",
      keptDays,
    )
    .option("--keep-archive <days>", "single events, as 90d or 2y; or forever (the default)", keptDays);

const keepOf = ({ keepMinutes, keepHours, keepArchive }: KeepFlags): KeepSetting => ({
  ...(keepMinutes === undefined ? {} : { minutes: finite(keepMinutes) }),
  ...(keepHours === undefined ? {} : { hours: finite(keepHours) }),
  ...(keepArchive === undefined ? {} : { archive: finite(keepArchive) }),
});
const finite = (days: number): number | null => (Number.isFinite(days) ? days : null);
const isKeepAsked = (flags: KeepFlags): boolean => Object.keys(keepOf(flags)).length > 0;

// --- keys and share links -----------------------------------------------------------------------------------------

const WORDS = {
  key: { command: "keys", one: "key", many: "API keys of a site, for programs" },
  share: { command: "share", one: "share link", many: "links by which people see one site's dashboard" },
} as const;

function addGrants(program: Command, terminal: Terminal, open: Open, kind: keyof typeof WORDS): void {
  const { command, one, many } = WORDS[kind];
  const commands = program.command(command).description(`add, list and remove ${many}`);
  const withSite = (name: string): Command =>
    withData(commands.command(name)).requiredOption("--site <id>", "the site that it is for");

  const add = withSite("add")
    .description(`make a ${one}; it is shown once`)
    .option("--label <text>", "what it is for", label);
  if (kind === "key") add.option("--may-write", "it may also change goals and funnels, and make share links");
  if (kind === "share")
    add
      .addOption(new Option("--days <number>", "how long it works").argParser(days).default(days("30"), "30"))
      .option("--url <url>", "where the dashboard is", origin, "http://127.0.0.1:8080");
  add.action(async (flags: GrantFlags & { days?: number; url?: string }) => {
    const { grant, token } = await open(flags, false, async (store) => {
      await checkCounted(store, flags.site);
      return createGrant(
        { store, clock: systemClock, secrets, randomBytes },
        {
          kind,
          site: flags.site,
          label: flags.label,
          mayWrite: flags.mayWrite,
          lifeMs: flags.days,
        },
      );
    });
    terminal.print(kind === "key" ? token : shareUrl(flags.url ?? "", grant.site, token));
    terminal.warn(
      `${one} ${describe(grant)}. It is kept as a hash only, so copy it now; "rivulet ${command} rm ${grant.id} --site ${grant.site}${dataFlags(flags)}" takes it back.`,
    );
  });

  withSite("list")
    .description(`the ${one}s that work, without their secrets`)
    .action(async (flags: GrantFlags) => {
      const grants = await open(flags, false, async (store) => {
        await checkCounted(store, flags.site);
        return listGrants({ store, clock: systemClock }, flags.site);
      });
      printList(
        terminal,
        grants.filter((grant) => grant.kind === kind).map(describe),
        `site "${flags.site}" has no ${one}`,
      );
    });

  withSite("rm <id>")
    .description(`take a ${one} back; a running server refuses it within 5 seconds`)
    .action(async (id: string, flags: GrantFlags) => {
      const removed = await open(flags, false, (store) => removeGrant(store, { id, kind, site: flags.site }));
      if (!removed) throw new ClickstreamError("config", `site "${flags.site}" has no ${one} ${id}`);
      terminal.print(`${one} ${id} works no more`);
    });
}

const isoDate = (at: number): string => new Date(at).toISOString().slice(0, 10);

const describe = ({ id, createdAt, expiresAt, label, mayWrite }: Grant): string =>
  [
    id,
    `made ${isoDate(createdAt)}`,
    ...(expiresAt === undefined ? [] : [`until ${new Date(expiresAt).toISOString().slice(0, 16)}Z`]),
    ...(mayWrite ? ["may write"] : []),
    ...(label === undefined ? [] : [label]),
  ].join("  ");
