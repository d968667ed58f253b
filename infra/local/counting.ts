/** The part of one machine's Rivulet that counts what is on the stream: a server's, or an import's in a thread of its own. */
import { fileArchive } from "../../processors/archives/files.ts";
import { systemClock } from "../../processors/clock.ts";
import { keyedHash, randomBytes } from "../../processors/crypto.ts";
import { countryLookup } from "../../processors/geo/country.ts";
import { placeLookup } from "../../processors/geo/places.ts";
import type { SiteSetting } from "../../processors/model/site.ts";
import type { AggregateDeps } from "../../processors/pipeline/aggregate.ts";
import { archiveNeededFrom } from "../../processors/pipeline/expiry.ts";
import type { Reconciler } from "../../processors/pipeline/reconcile.ts";
import { listSites, registerSites } from "../../processors/pipeline/sites.ts";
import { startArchiving } from "./archive.ts";
import { type CompactionOptions, startCompaction } from "./compaction.ts";
import { Consumer } from "./consumer.ts";
import { watchedArchive } from "./exploring.ts";
import { lockCounting } from "./lock.ts";
import { archiveFolder, openDirectory, openStore, openStream, type Places } from "./opening.ts";
import { type ReconciliationOptions, startReconciliation } from "./reconciliation.ts";
import { startTracing } from "./traces/tracing.ts";

export interface CountingOptions extends Places {
  readonly sites: readonly SiteSetting[];
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

/** What another process put, an import for one, is not announced. Looking takes some 50 µs. */
const LOCAL_POLL_MS = 100;
/** Kinesis allows five reads a second and shard, for all readers together. */
const KINESIS_POLL_MS = 250;
const DEMO_SITE = { id: "demo", timeZone: "UTC" };

/** Reads the stream, folds and archives, until closed. Compacting and recounting are left to `keepHouse`. */
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
export async function openCounting(
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
    // Of a file a look takes microseconds.
    looksAhead: archive !== undefined,
    maxCommitBytes: options.maxCommitBytes,
    maxLogBytes: options.maxLogBytes,
    onCommit: options.onCommit,
    allowedLatenessMs: options.allowedLatenessMs,
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
  return { store, stream, consumer, archive, isShared: isLocal && !lock };
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
