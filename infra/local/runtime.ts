/** One machine's Rivulet: stream, store, consumer, compaction, queries and HTTP, started together and stopped in order. */
import { fileArchive } from "../../processors/archives/files.ts";
import { systemClock } from "../../processors/clock.ts";
import { keyedHash, randomBytes, secrets } from "../../processors/crypto.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import { countryLookup } from "../../processors/geo/country.ts";
import { placeLookup } from "../../processors/geo/places.ts";
import { webhookNotifier } from "../../processors/notifiers/webhook.ts";
import { AccessControl, type GrantDeps } from "../../processors/pipeline/access.ts";
import type { AggregateDeps } from "../../processors/pipeline/aggregate.ts";
import { archiveNeededFrom } from "../../processors/pipeline/expiry.ts";
import { Explorations } from "../../processors/pipeline/explore/explorations.ts";
import { QueryEngine } from "../../processors/pipeline/query/engine.ts";
import type { Reconciler } from "../../processors/pipeline/reconcile.ts";
import { activeSites, listSites, registerSites, type Site } from "../../processors/pipeline/sites.ts";
import type { Stream } from "../../processors/streams/stream.ts";
import { startAlerting } from "./alerting.ts";
import { startArchiving } from "./archive.ts";
import { type CompactionOptions, startCompaction } from "./compaction.ts";
import { Consumer } from "./consumer.ts";
import { exploredFiles, watchedArchive } from "./exploring.ts";
import { isLoopback } from "./gateway/client.ts";
import type { RateLimit } from "./gateway/rate.ts";
import { reachable } from "./greeting.ts";
import { lockCounting } from "./lock.ts";
import { archiveFolder, openDirectory, openStore, openStream, type Places } from "./opening.ts";
import { type ReconciliationOptions, startReconciliation } from "./reconciliation.ts";
import { createServer } from "./server.ts";
import { startTracing } from "./traces/tracing.ts";

export interface RuntimeOptions extends Places {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Origin by which a proxy offers it to others; default: nobody does. */
  readonly publicUrl?: string | undefined;
  readonly sites: readonly { readonly id: string; readonly timeZone: string }[];
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
  /** Events whose minute ended longer than this before they were received are late. Default ALLOWED_LATENESS_MS. */
  readonly allowedLatenessMs?: number;
  /** Keeps every event in Parquet files beside the store. Default: true, where the store is a file. */
  readonly keepsArchive?: boolean;
  /** File of a table of regions and cities; default: they are not known. */
  readonly places?: string | undefined;
  /** Encoded bytes of one commit before it is split. Default: as on AWS. */
  readonly maxCommitBytes?: number | undefined;
  /** Bytes of log between two snapshots of what is remembered. Default: as on AWS. */
  readonly maxLogBytes?: number | undefined;
  /** How long records are left to gather after a commit, at most. Default: 25. */
  readonly maxGatherMs?: number | undefined;
  /** Told of each commit as soon as it is durable. */
  readonly onCommit?: AggregateDeps["onCommit"];
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

/** What another process put, an import for one, is not announced. Looking takes some 50 µs. */
const LOCAL_POLL_MS = 100;
/** Kinesis allows five reads a second and shard, for all readers together. */
const KINESIS_POLL_MS = 250;
const LISTEN_ADVICE: Readonly<Record<string, string>> = {
  EACCES: ": ports below 1024 take more rights, choose another with --port",
  EADDRNOTAVAIL: ": --host takes an address of this machine, or 0.0.0.0 for all of them",
  ENOTFOUND: ": --host takes an address of this machine, or 0.0.0.0 for all of them",
};
const DEMO_SITE = { id: "demo", timeZone: "UTC" };

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

export type CountingOptions = Pick<
  RuntimeOptions,
  | "dataDirectory"
  | "stream"
  | "store"
  | "sites"
  | "allowedLatenessMs"
  | "keepsArchive"
  | "places"
  | "maxCommitBytes"
  | "maxLogBytes"
  | "maxGatherMs"
  | "onCommit"
  | "log"
>;

/** The part of a server that counts: reads the stream, folds and archives, until closed. Compacting and recounting are left to `keepHouse`. */
export async function startCounting(options: CountingOptions): Promise<{ close(): Promise<void> }> {
  const opened = new AsyncDisposableStack();
  try {
    await openCounting(options, opened, await startTracing());
    return { close: () => opened.disposeAsync() };
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

/** Each part says how it is closed as soon as it is open; they close in the opposite order. */
async function openCounting(
  options: CountingOptions,
  opened: AsyncDisposableStack,
  tracing: Awaited<ReturnType<typeof startTracing>>,
) {
  const { log } = options;
  const clock = systemClock;
  opened.defer(() => tracing.close());
  if (!options.stream || !options.store) await openDirectory(options.dataDirectory);
  const store = await openStore(options, clock);
  opened.defer(() => store.close());
  const stream = await openStream(options, store, clock);
  opened.defer(() => stream.close());
  await registerSites(store, clock, options.sites);
  if ((await listSites(store)).length === 0) await registerSites(store, clock, [DEMO_SITE]);
  const isLocal = !options.stream && !options.store;
  const lock = isLocal ? lockCounting(options.dataDirectory) : undefined;
  if (lock) opened.defer(() => lock.release());

  const lateness =
    options.allowedLatenessMs === undefined ? {} : { allowedLatenessMs: options.allowedLatenessMs };
  const archive =
    options.store === undefined && options.keepsArchive !== false
      ? watchedArchive(await fileArchive({ directory: archiveFolder(options.dataDirectory), clock }), {
          clock,
          lagMs: () => consumer.lagMs(),
        })
      : undefined;
  if (archive) opened.defer(() => archive.close());
  const aggregate = {
    archive,
    store,
    clock,
    hash: keyedHash,
    randomBytes,
    country: await countryLookup(),
    place: options.places === undefined ? undefined : await placeLookup(options.places),
    tracer: tracing.tracer,
    maxCommitBytes: options.maxCommitBytes,
    maxLogBytes: options.maxLogBytes,
    onCommit: options.onCommit,
    ...lateness,
  };
  const consumer = new Consumer({
    stream,
    aggregate,
    clock,
    pollMs: options.stream ? KINESIS_POLL_MS : LOCAL_POLL_MS,
    maxGatherMs: options.maxGatherMs,
    log,
  });
  opened.defer(() => consumer.close());
  await consumer.start();
  if (archive) {
    const neededFrom = async () => archiveNeededFrom(await listSites(store), clock.now());
    const directory = archiveFolder(options.dataDirectory);
    const archiving = startArchiving({ archive, directory, clock, neededFrom, log });
    opened.defer(() => archiving.stop());
  }
  return { store, stream, consumer, archive, lateness, isShared: isLocal && !lock };
}

/** Compacts and recounts what is counted, here or in another thread, until closed. Answers what the recount says. */
export async function keepHouse(
  deps: Omit<CompactionOptions & ReconciliationOptions, "clock">,
  opened: AsyncDisposableStack,
): Promise<Reconciler> {
  const compaction = startCompaction({ ...deps, clock: systemClock });
  opened.defer(() => compaction.stop());
  const reconciliation = await startReconciliation({ ...deps, clock: systemClock });
  opened.defer(() => reconciliation.stop());
  return reconciliation.reconciler;
}

async function open(options: RuntimeOptions, opened: AsyncDisposableStack): Promise<Omit<Runtime, "close">> {
  const { host, log } = options;
  const clock = systemClock;
  if (options.isPublic && options.requireKey)
    throw new ClickstreamError("config", "--public and --require-key say the opposite: choose one");
  const { publicUrl } = options;
  const isOwnMachine = isLoopback(host) && publicUrl === undefined;
  const isKeyRequired = options.requireKey || (!isOwnMachine && !options.isPublic);
  const tracing = await startTracing();
  const { store, stream, consumer, archive, lateness, isShared } = await openCounting(
    options,
    opened,
    tracing,
  );
  if (isShared)
    log(
      `--data ${options.dataDirectory}: another process counts here too. The numbers stay right, and the work is done twice.`,
    );
  const reconciler = await keepHouse({ store, stream, consumer, log }, opened);
  const explored = archive && exploredFiles(archiveFolder(options.dataDirectory), archive, clock);
  if (explored) opened.defer(() => explored.explorer.close());
  const engine = new QueryEngine({
    ...(explored ? { archive: explored.archive } : {}),
    store,
    clock,
    lagMs: async () => consumer.lagMs(),
    reconciled: (site) => reconciler.of(site),
    tellsTraces: !isKeyRequired,
    // Behind the requests that came in meanwhile.
    pause: () => new Promise((resume) => setImmediate(resume)),
    ...lateness,
  });
  const grants = { store, clock, secrets, randomBytes };
  const gateway = createServer({
    stream,
    consumer,
    reconciler,
    engine,
    explorations: explored && new Explorations({ store, clock, archive: explored.archive, ...lateness }),
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
