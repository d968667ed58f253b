/** The command line: start, demo, and what commands.ts adds. Reads flags, says what a person needs next, and ends with a clear message. */
import { readFileSync } from "node:fs";
import { findPackageJSON, flushCompileCache } from "node:module";
import { Command, CommanderError, Option } from "commander";
import { ClickstreamError, describe } from "../../processors/errors.ts";
import type { SiteSetting } from "../../processors/model/site.ts";
import { dataFlags } from "./data.ts";
import { duration, origin, ownPath, port, rate, rateLimitOf, sites } from "./flags.ts";
import { greeting } from "./greeting.ts";
import { growYoungWhenBusy } from "./heap.ts";
import type { Runtime, RuntimeOptions } from "./runtime.ts";
import { type Output, type Terminal, terminalOf } from "./terminal.ts";

interface StartFlags {
  port: number;
  host: string;
  url?: string;
  data: string;
  site: SiteSetting[];
  stream?: string;
  store?: string;
  public: boolean;
  requireKey: boolean;
  rateLimit: number;
  trustProxy: boolean;
  scriptPath?: string;
  ingestPath?: string;
  lateness?: number;
  archive: boolean;
  places?: string;
}

/**
 * Runs one command to its end; for a server, that is the first SIGINT or SIGTERM. Answers the exit code. Throws what is
 * no message for people: our own mistakes.
 * @param words what stands behind the program's name.
 */
export async function runCommandLine(words: readonly string[], output: Output): Promise<number> {
  try {
    const program = await programFor(words, output);
    await program.parseAsync(words, { from: "user" });
    return 0;
  } catch (error) {
    // Its message is printed by then.
    if (error instanceof CommanderError) return error.exitCode;
    if (!(error instanceof ClickstreamError)) throw error;
    output.warn(`rivulet: ${describe(error)}`);
    return 1;
  }
}

async function programFor(words: readonly string[], output: Output): Promise<Command> {
  const terminal = terminalOf(output);
  const program = new Command("rivulet")
    .description("Real-time clickstream analytics that counts exactly.")
    .option("--version", "print the version")
    .on("option:version", () => {
      // In a package the code lies a folder deeper.
      output.print(JSON.parse(readFileSync(findPackageJSON("..", import.meta.url)!, "utf8")).version);
      throw new CommanderError(0, "rivulet.version", "");
    })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => output.print(text.trimEnd()),
      writeErr: (text) => output.warn(text.trimEnd()),
    })
    // Not the help itself: it would push the error off the screen.
    .showHelpAfterError("(--help after the command lists what it takes)");

  withServerFlags(program.command("start"), "./data")
    .description("serve collector, API and dashboard")
    .action(async (flags: StartFlags) => {
      const runtime = await start(flags, terminal);
      await greet(runtime, flags, terminal);
      await untilStopped(runtime, terminal);
    });

  withServerFlags(program.command("demo"), "./data/demo")
    .description("the same with a sample stream replayed and gentle live traffic")
    .action(async (flags: StartFlags) => {
      const runtime = await start(flags, terminal);
      await greet(runtime, flags, terminal);
      const { playDemo } = await import("./demo.ts");
      const demo = playDemo(runtime, terminal.log);
      await untilStopped(runtime, terminal, demo.stop);
    });

  // Each of the others loads what it needs, and a server that starts waits for none of it.
  if (!program.commands.some((command) => command.name() === words[0]))
    (await import("./commands.ts")).addCommands(program, terminal);
  return program;
}

const withServerFlags = (command: Command, data: string): Command =>
  command
    .option("--port <number>", "port to listen on; 0 takes a free one", port, 8080)
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option(
      "--url <address>",
      "where browsers reach it through a proxy, e.g. https://stats.example.com; readers need a key then, unless --public",
      origin,
    )
    .option("--data <directory>", "where the data are kept", data)
    .addOption(
      new Option("--site <id[@timezone]>", "site to count; repeat for more, e.g. example.com@Europe/Paris")
        .argParser(sites)
        .default([], "demo, if there is none yet"),
    )
    .addOption(
      new Option("--stream <kinesis:name>", "read from and write to a Kinesis stream instead of a file"),
    )
    .addOption(new Option("--store <dynamodb:table>", "keep rollups in a DynamoDB table instead of a file"))
    .option("--public", "let everybody who reaches the port read the dashboard", false)
    .option(
      "--require-key",
      "let nobody read without a key or a share link; the default beyond loopback without --public",
      false,
    )
    .option("--rate-limit <number>", "queries a second for each reader; 0 is no limit", rate, 100)
    .option("--script-path <path>", "offer the collector under this path too, e.g. /stats/s.js", ownPath)
    .option("--ingest-path <path>", "take its reports under this path too, e.g. /stats/e", ownPath)
    .option("--no-archive", "do not keep single events in Parquet files, only what is counted of them")
    .option(
      "--places <file>",
      "a table of cities (.mmdb, as GeoLite2 City or DB-IP City Lite) for regions and cities in the archive",
    )
    .option(
      "--trust-proxy",
      "take the visitor's address from X-Forwarded-For: only behind your own proxy",
      false,
    )
    .option(
      "--lateness <duration>",
      "how long a minute stays open for events that are on their way, e.g. 90s or 5m (default: 60s)",
      duration,
    );

async function start(flags: StartFlags, { log }: Terminal): Promise<Runtime> {
  const options: RuntimeOptions = {
    host: flags.host,
    port: flags.port,
    publicUrl: flags.url,
    dataDirectory: flags.data,
    sites: flags.site,
    isPublic: flags.public,
    requireKey: flags.requireKey,
    rateLimit: rateLimitOf(flags.rateLimit),
    trustProxy: flags.trustProxy,
    keepsArchive: flags.archive,
    places: flags.places,
    scriptPath: flags.scriptPath,
    ingestPath: flags.ingestPath,
    log,
    allowedLatenessMs: flags.lateness,
    // An unset variable of a script leaves "".
    stream: flags.stream || undefined,
    store: flags.store || undefined,
  };
  // The other commands need nothing of a server.
  const { startRuntime } = await import("./runtime.ts");
  return startRuntime(options);
}

async function greet(
  { url, behind, sites, isKeyRequired, grants }: Runtime,
  { data, store, scriptPath, ingestPath }: StartFlags,
  { print }: Terminal,
): Promise<void> {
  const ids = sites.map(({ id }) => id);
  const others = dataFlags({ data, store });
  const greeted = {
    url,
    behind,
    sites: ids,
    isKeyRequired,
    grants,
    dataFlags: others,
    scriptPath,
    ingestPath,
  };
  for (const line of await greeting(greeted)) print(line);
  // Not only at the end, which a server that is killed does not see.
  flushCompileCache();
  growYoungWhenBusy();
}

/** Resolves after the first SIGINT or SIGTERM, when all is closed. A second one ends the process at once. */
async function untilStopped(
  runtime: Runtime,
  { print }: Terminal,
  before?: () => Promise<void>,
): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(130));
        resolve();
      });
    }
  });
  print("stopping");
  await before?.();
  await runtime.close();
}
