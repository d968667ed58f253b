/** The command `import`: reads its flags, shows how far it is, and says in the end what came of the file. */
import { readFile } from "node:fs/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import { systemClock } from "../../processors/clock.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import type { SiteSetting } from "../../processors/model/site.ts";
import { FORMATS, type ImportFormat } from "../../processors/pipeline/import/detect.ts";
import { type Mapping, parseMapping } from "../../processors/pipeline/import/table.ts";
import { listSites, registerSites } from "../../processors/pipeline/sites.ts";
import { type DataFlags, opener } from "./data.ts";
import { site as siteFlag } from "./flags.ts";
import { summaryOf, totalsSummary } from "./importsummary.ts";
import { patientStore } from "./patient.ts";
import type { Terminal } from "./terminal.ts";

interface ImportFlags extends DataFlags {
  readonly site: SiteSetting & { readonly isZoned: boolean };
  readonly format: ImportFormat | "auto";
  readonly all: boolean;
  readonly map?: string;
  readonly hostname?: string;
  readonly archive: boolean;
  readonly places?: string;
  readonly stream?: string;
}

export function addImport(program: Command, { print, log }: Terminal): void {
  program
    .command("import <file>")
    .description(
      "count an access log, a file of events or a table of totals, into the data of a running or a stopped server",
    )
    .requiredOption("--site <id[@timezone]>", "the site that it is of", (text: string) => ({
      ...siteFlag(text),
      isZoned: text.includes("@"),
    }))
    .option("--data <directory>", "where the data are kept", "./data")
    .addOption(
      new Option("--format <format>", "what the file is").choices(["auto", ...FORMATS]).default("auto"),
    )
    .option("--all", "count every request of a log, whatever its method, status and path", false)
    .option("--map <file>", 'JSON that names the columns, e.g. {"time": "When", "url": "Page"}')
    .option("--hostname <name>", "host name of pages whose lines name none (default: the site)", hostname)
    .option("--no-archive", "keep no single events of it, where no server counts")
    .option("--places <file>", "a table of cities (.mmdb), where no server counts that has one")
    .addOption(
      new Option("--stream <kinesis:name>", "put the records into a Kinesis stream instead of a file"),
    )
    .addOption(new Option("--store <dynamodb:table>", "the DynamoDB table that counts it"))
    .action(async (file: string, flags: ImportFlags) => {
      const mapping = flags.map === undefined ? undefined : await readMapping(flags.map);
      // Readers of every format, and all that counts: only for those who import.
      const { fileSlice } = await import("./importfile.ts");
      // Before a site is registered for it.
      await fileSlice(file, 1);
      await register(flags, log);
      const { runTotals } = await import("./importtotals.ts");
      const tables = await runTotals(file, {
        site: flags.site.id,
        dataDirectory: flags.data,
        format: flags.format,
        mapping,
        store: flags.store,
        log,
      });
      if (tables) {
        print(totalsSummary(file, flags.site.id, tables));
        return;
      }
      const progress = await showProgress();
      try {
        const startedAt = performance.now();
        const { runImport } = await import("./importing.ts");
        const { hostOf } = await import("../../processors/pipeline/import/source.ts");
        const result = await runImport(file, {
          site: flags.site.id,
          dataDirectory: flags.data,
          format: flags.format,
          all: flags.all,
          hostname: flags.hostname ?? hostOf(flags.site.id),
          mapping,
          keepsArchive: flags.archive,
          places: flags.places,
          stream: flags.stream,
          store: flags.store,
          log,
          onRead: progress.read,
          onProgress: ({ counts }) => progress.counted(counts.events),
        });
        progress.stop();
        print(summaryOf(file, flags.site.id, result, (performance.now() - startedAt) / 1_000));
      } finally {
        progress.stop();
      }
    });
}

function hostname(text: string): string {
  if (!URL.canParse(`https://${text}/`) || /[/?#@]/.test(text))
    throw new InvalidArgumentError("a host name such as example.com");
  return text;
}

async function readMapping(path: string): Promise<Mapping> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new ClickstreamError("config", `--map ${path}: cannot be read`, { cause });
  });
  try {
    return parseMapping(text);
  } catch (cause) {
    if (!(cause instanceof ClickstreamError)) throw cause;
    throw new ClickstreamError(cause.code, `--map ${path}: ${cause.message}`, { cause: cause.cause });
  }
}

/** A site that is not counted yet is registered, as `start --site` does. */
const register = (flags: ImportFlags, log: (line: string) => void): Promise<void> =>
  opener(log)(flags, true, async (opened) => {
    const store = patientStore(opened);
    const { id, timeZone, isZoned } = flags.site;
    const known = (await listSites(store)).find((one) => one.id === id);
    if (known && known.removedAt === undefined && !isZoned) return;
    await registerSites(store, systemClock, [
      { id, timeZone: isZoned ? timeZone : (known?.timeZone ?? timeZone) },
    ]);
    if (!known) log(`site ${id} is registered, with days of ${timeZone}`);
  });

/** A bar on a terminal; nothing where nobody watches. */
async function showProgress(): Promise<{
  read(bytes: number, of: number): void;
  counted(events: number): void;
  stop(): void;
}> {
  if (!process.stderr.isTTY) return { read: () => {}, counted: () => {}, stop: () => {} };
  const { default: cliProgress } = await import("cli-progress");
  const bar = new cliProgress.SingleBar({
    format: "  {bar} {percentage}% | {megabytes} MB | {events} events | {eta_formatted} left",
    stream: process.stderr,
    // So a terminal is as it was, however this ends.
    hideCursor: false,
    linewrap: true,
    // Before anything is read there is no telling.
    formatTime: (seconds, options, step) =>
      Number.isFinite(seconds) ? cliProgress.Format.TimeFormat(seconds, options, step) : "?",
  });
  bar.start(1, 0, { megabytes: "0", events: "0" });
  let events = 0;
  return {
    read(bytes, of) {
      bar.setTotal(of);
      bar.update(bytes, { megabytes: (bytes / 1e6).toFixed(0), events: events.toLocaleString("en") });
    },
    counted(count) {
      events = count;
    },
    stop: () => bar.stop(),
  };
}
