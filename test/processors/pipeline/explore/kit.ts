/** An archive of generated traffic on disk, beside the rollups of the same fold. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { partitionFolder, siteFolder } from "../../../../processors/archives/layout.ts";
import { encodeParquet } from "../../../../processors/archives/parquet.ts";
import { valuesOf } from "../../../../processors/archives/values.ts";
import { keyedHash } from "../../../../processors/crypto.ts";
import { duckdbExplorer } from "../../../../processors/explorers/duckdb.ts";
import type { Explorer } from "../../../../processors/explorers/explorer.ts";
import type { ArchiveRow } from "../../../../processors/model/archive.ts";
import type { Place } from "../../../../processors/model/place.ts";
import { partitionKeyOf, type StreamLine } from "../../../../processors/model/streamfile.ts";
import { ShardWorker } from "../../../../processors/pipeline/aggregate.ts";
import { compactAll } from "../../../../processors/pipeline/compact.ts";
import { ExploredArchive } from "../../../../processors/pipeline/explore/archive.ts";
import { Explorations } from "../../../../processors/pipeline/explore/explorations.ts";
import { encodeJson } from "../../../../processors/pipeline/json.ts";
import { QueryEngine } from "../../../../processors/pipeline/query/engine.ts";
import { registerSites } from "../../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../../processors/stores/memory.ts";
import type { Store } from "../../../../processors/stores/store.ts";
import { memoryStream } from "../../../../processors/streams/memory.ts";
import { type ManualClock, manualClock } from "../../../kit/clock.ts";

export interface Archived {
  readonly rows: readonly ArchiveRow[];
  readonly directory: string;
  readonly explorer: Explorer;
  readonly archive: ExploredArchive;
  /** Answers from rollups, and from the archive what they cannot. */
  readonly engine: QueryEngine;
  readonly explorations: Explorations;
  readonly clock: ManualClock;
  readonly store: Store;
  close(): Promise<void>;
}

/** `repeats`: every row stands in two files, as after a crash between writing and committing. */
export async function archived(
  lines: readonly StreamLine[],
  {
    site,
    zone = "UTC",
    repeats = false,
    place,
  }: { site: string; zone?: string; repeats?: boolean; place?: (ip: string) => Place },
): Promise<Archived> {
  const clock = manualClock(lines[0]?.arrival ?? 0);
  const store = memoryStore({ clock });
  await registerSites(store, clock, [{ id: site, timeZone: zone }]);
  const stream = memoryStream({ clock, shards: 2 });
  const rows: ArchiveRow[] = [];
  const deps = {
    store,
    clock,
    hash: keyedHash,
    randomBytes: (length: number) => new Uint8Array(length).fill(7),
    country: () => "",
    place,
    archive: {
      write: async (more: readonly ArchiveRow[]) => void rows.push(...more),
      close: async () => {},
    },
  };
  for (const { arrival, envelope } of lines) {
    clock.advanceTo(arrival);
    const data = encodeJson(envelope);
    await stream.put({ partitionKey: partitionKeyOf(envelope), data });
  }
  for (const { id, parents } of await stream.shards()) {
    const worker = new ShardWorker(deps, { id, parents });
    for (;;) {
      const { records } = await stream.read(id, await worker.lastSequence(), 500);
      if (records.length === 0) break;
      await worker.process(records);
    }
  }
  await compactAll({ store, clock });
  const directory = await mkdtemp(join(tmpdir(), "rivulet-explore-"));
  await writeArchive(directory, repeats ? [...rows, ...rows.toReversed()] : rows);
  const explorer = duckdbExplorer({ directory, folderOf: siteFolder });
  const archive = new ExploredArchive({
    explorer,
    clock,
    archivedUntil: async () => clock.now(),
    waitMs: 30_000,
  });
  return {
    rows,
    directory,
    explorer,
    archive,
    clock,
    store,
    engine: new QueryEngine({ store, clock, lagMs: async () => 0, archive }),
    explorations: new Explorations({ store, clock, archive }),
    async close() {
      await explorer.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** At most 1,000 rows a file, so that hours have several. */
async function writeArchive(directory: string, rows: readonly ArchiveRow[], perFile = 1_000): Promise<void> {
  const files = new Map<string, ArchiveRow[]>();
  for (const row of rows) {
    const folder = partitionFolder(row.site, row.at);
    files.set(folder, [...(files.get(folder) ?? []), row]);
  }
  for (const [folder, all] of files) {
    await mkdir(join(directory, folder), { recursive: true });
    for (let i = 0; i < all.length; i += perFile) {
      const bytes = encodeParquet(all.slice(i, i + perFile).map(valuesOf));
      await writeFile(join(directory, folder, `${i}.parquet`), bytes);
    }
  }
}
