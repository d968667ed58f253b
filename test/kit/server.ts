/** The shipped server as outsiders run it: a child process of its own, known by its URL and its signals alone. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { patience } from "./patience.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** The runtime that npm installs beside the package; elsewhere the one that runs the test. */
const BIN = join(ROOT, "node_modules", ".bin");
const CLI = join(ROOT, "infra", "local", "bin.js");

export interface ServerProcess {
  readonly url: string;
  readonly pid: number;
  /** Everything it printed so far, standard output and error together. */
  output(): string;
  /** Sends a signal and resolves with how the process ended. */
  kill(signal: NodeJS.Signals): Promise<Exit>;
  /** Ends it as Ctrl-C does. Does nothing when it has ended already. */
  stop(): Promise<Exit>;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ServerOptions {
  readonly data: string;
  /** Further arguments, after `start --port 0 --data DIR`. */
  readonly args?: readonly string[];
  /** `start` or `demo`. Default `start`. */
  readonly command?: "start" | "demo";
  readonly env?: NodeJS.ProcessEnv;
  /** No file may grow beyond this: the disk is full for it then. */
  readonly maxFileKb?: number;
}

const START_MS = 20_000;
/** An import starts a thread, counts and syncs: on a machine where all wait for the disk it takes longer than a start. */
const COMMAND_MS = 60_000;

/** Resolves once the server answers /healthz. Throws with all that it printed when it ends or stays silent instead. */
export async function startServer({
  data,
  args = [],
  command = "start",
  env,
  maxFileKb,
}: ServerOptions): Promise<ServerProcess> {
  const child = spawnCommand([command, "--port", "0", "--data", data, ...args], { env, maxFileKb });
  const text = collect(child);
  const ended = exitOf(child);
  const url = await poll(
    () => {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`the server ended with ${child.exitCode ?? child.signalCode}:\n${text()}`);
      return /(?:Dashboard|Proxy to)\s+(http:\/\/[^/\s]+)\//.exec(text())?.[1];
    },
    { within: START_MS, what: () => `the server's URL in:\n${text()}` },
  ).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw error;
  });
  await poll(async () => (await fetch(`${url}/healthz`)).ok, { within: START_MS, what: "/healthz" });
  const kill = (signal: NodeJS.Signals): Promise<Exit> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    return ended;
  };
  return { url, pid: child.pid!, output: text, kill, stop: () => kill("SIGINT") };
}

/** Runs the command line to its end. */
export async function runCommand(
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
): Promise<Exit & { readonly output: string }> {
  const child = spawnCommand(args, { env });
  const text = collect(child);
  const deadline = setTimeout(() => child.kill("SIGKILL"), patience(COMMAND_MS));
  const exit = await exitOf(child);
  clearTimeout(deadline);
  return { ...exit, output: text() };
}

function spawnCommand(
  args: readonly string[],
  { env, maxFileKb }: Pick<ServerOptions, "env" | "maxFileKb">,
): ChildProcess {
  // The shell becomes the server: it keeps the limit, its process id, and ignores the signal that goes with the limit.
  const limited = ["-c", `trap '' XFSZ; ulimit -f ${maxFileKb}; exec node "$@"`, "limited"];
  const [file, before] = maxFileKb === undefined ? ["node", []] : ["bash", limited];
  return spawn(file, [...before, CLI, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env, PATH: `${BIN}:${process.env.PATH}` },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function collect(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
  return () => text;
}

async function exitOf(child: ChildProcess): Promise<Exit> {
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { code, signal };
}

/** Asks again and again until `ask` gives something true. Throws, naming `what`, when that takes over `within` ms, or longer on a busy machine. */
export async function poll<T>(
  ask: () => T | Promise<T>,
  { within, what, every = 20 }: { within: number; what: string | (() => string); every?: number },
): Promise<NonNullable<Exclude<T, false>>> {
  const startedAt = performance.now();
  for (;;) {
    const answer = await ask();
    if (answer) return answer as NonNullable<Exclude<T, false>>;
    if (performance.now() - startedAt > patience(within))
      throw new Error(`not within ${within} ms: ${typeof what === "string" ? what : what()}`);
    await sleep(every);
  }
}
