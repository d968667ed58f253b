/** One machine's Rivulet: stream, store, consumer, compaction, queries and HTTP, started together and stopped in order. */
import { systemClock } from "../../processors/clock.ts";
import { randomBytes, secrets } from "../../processors/crypto.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import { webhookNotifier } from "../../processors/notifiers/webhook.ts";
import { AccessControl, type GrantDeps } from "../../processors/pipeline/access.ts";
import { Explorations } from "../../processors/pipeline/explore/explorations.ts";
import { QueryEngine } from "../../processors/pipeline/query/engine.ts";
import { activeSites, type Site } from "../../processors/pipeline/sites.ts";
import type { Stream } from "../../processors/streams/stream.ts";
import { startAlerting } from "./alerting.ts";
import type { Consumer } from "./consumer.ts";
import { type CountingOptions, keepHouse, openCounting } from "./counting.ts";
import { exploredFiles } from "./exploring.ts";
import { isLoopback } from "./gateway/client.ts";
import type { RateLimit } from "./gateway/rate.ts";
import { reachable } from "./greeting.ts";
import { archiveFolder } from "./opening.ts";
import { createServer } from "./server.ts";
import { startTracing } from "./traces/tracing.ts";

export interface RuntimeOptions extends CountingOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Origin by which a proxy offers it to others; default: nobody does. */
  readonly publicUrl?: string | undefined;
  /** Anybody who reaches the port may read the dashboard. */
  readonly isPublic: boolean;
  /** Readers need a key or a share link. Always so beyond loopback, behind a proxy too, unless public. */
  readonly requireKey: boolean;
  /** Of readers, for each address and each key; undefined: none. */
  readonly rateLimit: RateLimit | undefined;
  readonly trustProxy: boolean;
  /** Further paths of the collector and of its reports. Default: only /c.js and /v1/events. */
  readonly scriptPath?: string | undefined;
  readonly ingestPath?: string | undefined;
}

export interface Runtime {
  /** Where browsers reach it. */
  readonly url: string;
  /** Where it listens, if a proxy offers it elsewhere. */
  readonly behind: string | undefined;
  readonly sites: readonly Site[];
  readonly stream: Stream;
  readonly consumer: Consumer;
  readonly isKeyRequired: boolean;
  /** To make keys and share links with. */
  readonly grants: GrantDeps;
  /** Answers what is in flight, finishes the batch in hand, closes the files. What was acknowledged is in them. */
  close(): Promise<void>;
}

const LISTEN_ADVICE: Readonly<Record<string, string>> = {
  EACCES: ": ports below 1024 take more rights, choose another with --port",
  EADDRNOTAVAIL: ": --host takes an address of this machine, or 0.0.0.0 for all of them",
  ENOTFOUND: ": --host takes an address of this machine, or 0.0.0.0 for all of them",
};

/** Throws `config` with what to change, or `unavailable` when a file or service cannot be opened; nothing stays open then. */
export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const opened = new AsyncDisposableStack();
  try {
    const runtime = await open(options, opened);
    return { ...runtime, close: () => opened.disposeAsync() };
  } catch (error) {
    // An open file or timer would keep the process alive.
    await opened.disposeAsync();
    throw error;
  }
}

async function open(options: RuntimeOptions, opened: AsyncDisposableStack): Promise<Omit<Runtime, "close">> {
  const { host, log, allowedLatenessMs } = options;
  const clock = systemClock;
  if (options.isPublic && options.requireKey)
    throw new ClickstreamError("config", "--public and --require-key say the opposite: choose one");
  const { publicUrl } = options;
  const isOwnMachine = isLoopback(host) && publicUrl === undefined;
  const isKeyRequired = options.requireKey || (!isOwnMachine && !options.isPublic);
  const tracing = await startTracing();
  const { store, stream, consumer, archive, isShared } = await openCounting(options, opened, tracing);
  if (isShared)
    log(
      `--data ${options.dataDirectory}: another process counts here too. The numbers stay right, and the work is done twice.`,
    );
  const reconciler = await keepHouse({ store, stream, consumer, log }, opened);
  const explored = archive && exploredFiles(archiveFolder(options.dataDirectory), archive, clock);
  if (explored) opened.defer(() => explored.explorer.close());
  const engine = new QueryEngine({
    archive: explored?.archive,
    store,
    clock,
    lagMs: async () => consumer.lagMs(),
    reconciled: (site) => reconciler.of(site),
    tellsTraces: !isKeyRequired,
    // Behind the requests that came in meanwhile.
    pause: () => new Promise((resume) => setImmediate(resume)),
    allowedLatenessMs,
  });
  const grants = { store, clock, secrets, randomBytes };
  const gateway = createServer({
    stream,
    consumer,
    reconciler,
    engine,
    explorations:
      explored && new Explorations({ store, clock, archive: explored.archive, allowedLatenessMs }),
    clock,
    tracing,
    access: new AccessControl(
      { store, clock, secrets },
      { isKeyRequired, isOwnMachine: isOwnMachine && !options.isPublic },
    ),
    grants,
    isKeyRequired,
    rateLimit: options.rateLimit,
    isPrivate: isLoopback(host),
    trustProxy: options.trustProxy,
    scriptPath: options.scriptPath,
    ingestPath: options.ingestPath,
    allowedHosts: [
      ...(options.isPublic ? [host] : []),
      ...(publicUrl === undefined ? [] : [new URL(publicUrl).hostname]),
    ],
    log,
  });
  const address = await gateway.listen(options.port, host).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "EADDRINUSE")
      throw new ClickstreamError("config", `port ${options.port} is taken: choose another with --port`);
    const advice = LISTEN_ADVICE[cause.code ?? ""] ?? "";
    throw new ClickstreamError("config", `cannot listen on ${host}:${options.port}${advice}`, { cause });
  });
  opened.defer(() => gateway.close());
  const shown = reachable(address.host);
  const own = `http://${shown.includes(":") ? `[${shown}]` : shown}:${address.port}`;
  const url = publicUrl ?? own;
  const alerting = startAlerting({ store, clock, engine, notifier: webhookNotifier(), url, log });
  opened.defer(() => alerting.stop());
  return {
    url,
    behind: publicUrl === undefined ? undefined : own,
    sites: await activeSites(store),
    stream,
    consumer,
    isKeyRequired,
    grants,
  };
}
