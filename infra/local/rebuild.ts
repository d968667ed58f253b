/** The commands `rebuild` and `erase`, on the data of a running or a stopped server alike, or by a deployment's state machine. */
import { existsSync } from "node:fs";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { ArchivedRows } from "../../processors/archives/archive.ts";
import { systemClock } from "../../processors/clock.ts";
import { keyedHash, randomBytes } from "../../processors/crypto.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import { DAY_MS, type EpochMs } from "../../processors/model/time.ts";
import { dayStart } from "../../processors/model/zone.ts";
import { giveUpEdition, readEdition } from "../../processors/pipeline/editions.ts";
import type { Erased } from "../../processors/pipeline/erasure.ts";
import { forgetErased } from "../../processors/pipeline/forgetting.ts";
import { type RebuildDeps, type RebuildReport, rebuild } from "../../processors/pipeline/rebuild/rebuild.ts";
import { type Gone, hoursWithErased } from "../../processors/pipeline/rebuild/remaining.ts";
import type { RebuildAnswer } from "../../processors/pipeline/rebuild/steps.ts";
import { activeSites, listSites, type Site } from "../../processors/pipeline/sites.ts";
import { Salts, storedId } from "../../processors/pipeline/visitor.ts";
import type { Store } from "../../processors/stores/store.ts";
import { opener } from "./data.ts";
import { makeRoomForYoung } from "./heap.ts";
import { archiveFolder } from "./opening.ts";
import { answerLines, nothingLine, reportLines, stillCountedLines, takenOutLine } from "./rebuildsummary.ts";
import type { Terminal } from "./terminal.ts";

interface RebuildFlags {
  readonly data: string;
  readonly from?: string;
  readonly to?: string;
  readonly site?: string;
  readonly stateMachine?: string;
  readonly dryRun: boolean;
}
interface EraseFlags {
  readonly data: string;
  readonly site: string;
  readonly visitor?: string;
  readonly visitorHash?: string;
  readonly page?: string;
  readonly stateMachine?: string;
  readonly store?: string;
  readonly dryRun: boolean;
}

export function addRebuild(program: Command, { print, log }: Terminal): void {
  const say = (lines: readonly string[]): void => print(lines.join("\n"));
  program
    .command("rebuild")
    .description(
      "count again from the archive, compare, and switch to the result; counting goes on meanwhile",
    )
    .option("--from <date>", "first day, as 2026-11-01 (default: all that is archived)", date)
    .option("--to <date>", "last day", date)
    .option("--site <id>", "only this site (default: all)")
    .option("--data <directory>", "where the data are kept", "./data")
    .addOption(onAws())
    .option("--dry-run", "only compare", false)
    .action(async (flags: RebuildFlags) => {
      if (flags.from !== undefined && flags.to !== undefined && flags.from > flags.to)
        throw new ClickstreamError("config", `--from ${flags.from} is after --to ${flags.to}`);
      const { stateMachine, site: only } = flags;
      if (stateMachine !== undefined) {
        if (only === undefined) throw new ClickstreamError("config", "--state-machine: name one --site too");
        return say(answerLines(await runOnAws(stateMachine, { ...flags, site: only }, print)));
      }
      await withArchive(flags.data, log, async (store, archive) => {
        const wanted = await activeSites(store);
        const sites = flags.site === undefined ? wanted : [await siteOf(store, flags.site)];
        for (const site of sites) {
          say(reportLines(site, await rebuildSite(await inLots(flags.data, store, archive), site, flags)));
        }
      });
    });

  program
    .command("erase")
    .description("take one visitor or one page out of the archive and out of what was counted")
    .requiredOption("--site <id>", "the site")
    .option("--visitor <id>", "the visitor's id, as your site sends it")
    .addOption(
      new Option("--visitor-hash <hex>", "the pseudonym in the archive's rows instead").conflicts("visitor"),
    )
    .addOption(
      new Option("--page <path>", "a page instead, as /people/ann").conflicts(["visitor", "visitorHash"]),
    )
    .option("--data <directory>", "where the data are kept", "./data")
    .addOption(onAws())
    .addOption(
      new Option(
        "--store <dynamodb:table>",
        "with it and --visitor: the table whose salt makes the pseudonym",
      ),
    )
    .option("--dry-run", "only say what would change", false)
    .action(async (flags: EraseFlags) => {
      if (flags.stateMachine !== undefined) {
        const erase = await erasedOnAws(flags, log);
        return say(answerLines(await runOnAws(flags.stateMachine, { ...flags, erase }, print), erase));
      }
      await withArchive(flags.data, log, async (store, archive) => {
        const site = await siteOf(store, flags.site);
        const erased = await erasedBy(store, flags);
        const { beginErasure } = await import("./erase.ts");
        using erasure = await beginErasure(archiveFolder(flags.data), site, erased);
        const { hours, archivedSince, left } = erasure;
        const gone = { erased, hours };
        if (hours.size === 0) {
          const counted = await hoursWithErased(store, (await readEdition(store, site.id)).space, gone);
          return say([nothingLine(site.id, erased, counted), ...stillCountedLines(counted)]);
        }
        // Else hours that held nothing but it would seem older than the archive.
        const terms = { ...flags, archivedSince, gone };
        let report: RebuildReport;
        if (flags.dryRun) {
          report = await rebuildSite({ store, archive: left }, site, terms);
        } else {
          print(takenOutLine(site.id, await erasure.takeOut()));
          await forgetErased({ store, clock: systemClock }, site.id, erased);
          report = await rebuildSite(await inLots(flags.data, store, archive), site, terms);
          await erasure.finish();
        }
        say([...reportLines(site, report), ...stillCountedLines(report.stillCounted)]);
      });
    });
}

const onAws = (): Option =>
  new Option(
    "--state-machine <arn>",
    "on AWS instead: the deployment's output RebuildStateMachine",
  ).conflicts("data");

/** Has a deployment do it, and waits. */
async function runOnAws(
  stateMachine: string,
  {
    site,
    from,
    to,
    erase,
    dryRun,
  }: {
    readonly site: string;
    readonly from?: string;
    readonly to?: string;
    readonly erase?: Erased;
    readonly dryRun: boolean;
  },
  print: Terminal["print"],
): Promise<RebuildAnswer> {
  const { runExecution } = await import("../../processors/execution.ts");
  const order = { site, from, to, erase, switch: !dryRun };
  return (await runExecution(stateMachine, order, (arn) =>
    print(`started ${arn}: it takes 20 minutes and more, and goes on if this command is ended`),
  )) as RebuildAnswer;
}

async function erasedOnAws(flags: EraseFlags, log: (line: string) => void): Promise<Erased> {
  const { store, visitor } = flags;
  if (visitor === undefined) return erasedBy(undefined, flags);
  if (store === undefined)
    throw new ClickstreamError(
      "config",
      "--visitor: name the deployment's --store dynamodb:TABLE too, whose salt makes the pseudonym; or give --visitor-hash",
    );
  return opener(log)(flags, false, (store) => erasedBy(store, flags));
}

/** `YYYY-MM-DD`, a day that exists. */
function date(text: string): string {
  const at = Date.parse(`${text}T00:00:00Z`);
  if (!/^\d{4}-\d\d-\d\d$/.test(text) || Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== text)
    throw new InvalidArgumentError("a day such as 2026-11-01");
  return text;
}

const withArchive = (
  data: string,
  log: (line: string) => void,
  work: (store: Store, archive: ArchivedRows) => Promise<void>,
): Promise<void> =>
  opener(log)({ data }, false, async (store) => {
    const directory = archiveFolder(data);
    if (!existsSync(directory))
      throw new ClickstreamError("config", `--data ${data}: nothing is archived there`);
    // A row is dropped as soon as it is folded: with 1 MB for what is young, half of the time went to collecting them.
    makeRoomForYoung();
    // What reads Parquet is loaded by those who need it.
    const { fileRows } = await import("../../processors/archives/rows.ts");
    const { clearLeft } = await import("../../processors/archives/presence.ts");
    await clearLeft(directory);
    await work(store, fileRows(directory));
  });

/** What a rebuild needs, its folding done by threads. */
async function inLots(
  data: string,
  store: Store,
  archive: ArchivedRows,
): Promise<Omit<RebuildDeps, "clock">> {
  const { foldInLots } = await import("./rebuildlots.ts");
  return { store, archive, fold: foldInLots(archiveFolder(data)) };
}

async function siteOf(store: Store, id: string): Promise<Site> {
  const site = (await listSites(store)).find((one) => one.id === id);
  if (!site) throw new ClickstreamError("config", `site "${id}" is not registered`);
  return site;
}

/** `store` is needed for a visitor's own id. */
async function erasedBy(
  store: Store | undefined,
  { site, visitor, visitorHash, page }: EraseFlags,
): Promise<Erased> {
  if (page !== undefined) {
    if (!page.startsWith("/"))
      throw new ClickstreamError("config", `--page ${page}: a path of the site, which begins with "/"`);
    return { page };
  }
  if (visitorHash !== undefined) {
    if (!/^[0-9a-f]{16}$/.test(visitorHash))
      throw new ClickstreamError("config", `--visitor-hash ${visitorHash}: 16 hexadecimal digits`);
    return { visitor: visitorHash };
  }
  if (!visitor || !store)
    throw new ClickstreamError("config", "name whom or what: --visitor, --visitor-hash or --page");
  const salts = new Salts({ store, clock: systemClock, randomBytes });
  await salts.load([]);
  return { visitor: storedId(keyedHash, salts.identity, site, visitor) };
}

async function rebuildSite(
  deps: Omit<RebuildDeps, "clock">,
  { id, timeZone }: Site,
  flags: {
    readonly from?: string;
    readonly to?: string;
    readonly dryRun: boolean;
    readonly archivedSince?: EpochMs;
    readonly gone?: Gone;
  },
): Promise<RebuildReport> {
  const isShown = process.stderr.isTTY;
  let begun: string | undefined;
  // Else all that is committed would go into what was begun too, until somebody rebuilds the site.
  const stop = async (): Promise<void> => {
    if (begun !== undefined) await giveUpEdition(deps.store, systemClock, id, begun);
    process.exit(130);
  };
  for (const signal of STOPPING) process.once(signal, stop);
  const onBegun = (space: string): void => {
    begun = space;
  };
  try {
    return await rebuild(
      { ...deps, clock: systemClock, onBegun },
      {
        site: id,
        isTrial: flags.dryRun,
        archivedSince: flags.archivedSince,
        gone: flags.gone,
        from: flags.from === undefined ? undefined : dayStart(timeZone, flags.from),
        to: flags.to === undefined ? undefined : dayStart(timeZone, nextDay(flags.to)),
      },
      (rows) => void (isShown && process.stderr.write(`\r${id}: ${rows} rows`)),
    );
  } finally {
    for (const signal of STOPPING) process.off(signal, stop);
    if (isShown) process.stderr.write("\r\x1b[K");
  }
}

/** A second one ends the process at once. */
const STOPPING = ["SIGINT", "SIGTERM"] as const;

const nextDay = (day: string): string =>
  new Date(Date.parse(`${day}T00:00:00Z`) + DAY_MS).toISOString().slice(0, 10);
