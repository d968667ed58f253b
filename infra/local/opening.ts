/** Opens where one machine keeps its data: files in a directory, or services in their place. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { ClickstreamError } from "../../processors/errors.ts";
import type { Clock } from "../../processors/model/time.ts";
import { committedTo, listShards } from "../../processors/pipeline/commit.ts";
import { sqliteStore } from "../../processors/stores/sqlite.ts";
import type { Store } from "../../processors/stores/store.ts";
import { sqliteStream } from "../../processors/streams/sqlite.ts";
import type { Stream } from "../../processors/streams/stream.ts";

export interface Places {
  readonly dataDirectory: string;
  /** `kinesis:NAME`; default: a file in the data directory. */
  readonly stream?: string | undefined;
  /** `dynamodb:TABLE`; default: a file in the data directory. */
  readonly store?: string | undefined;
  readonly log: (line: string) => void;
}

/** Where a data directory holds its archive. */
export const archiveFolder = (dataDirectory: string): string => join(dataDirectory, "archive");

/** Throws `config` where it can be neither found nor made. */
export async function openDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new ClickstreamError("config", `--data ${path}: cannot be made or written`, { cause });
  }
}

/** Drivers of services are loaded only when asked for: their clients cost more memory than all the rest. */
export async function openStore(
  { store, dataDirectory, log }: Omit<Places, "stream">,
  clock: Clock,
  { mayCreateTable = true } = {},
): Promise<Store> {
  if (!store) return sqliteStore({ path: join(dataDirectory, "store.db"), clock });
  const table = named(store, "dynamodb:TABLE", "--store");
  const { dynamoStore } = await import("../../processors/stores/dynamodb.ts");
  if (mayCreateTable) {
    const { createTable } = await import("../../processors/stores/dynamodb-table.ts");
    log(`store: DynamoDB table ${table} (made if it does not exist)`);
    await createTable({ table });
  }
  return dynamoStore({ table, clock });
}

/** `store` says how far its shards are counted. Throws `config` where that was of another stream. */
export async function openStream(
  { stream, dataDirectory, log }: Omit<Places, "store">,
  store: Store,
  clock: Clock,
): Promise<Stream> {
  if (!stream) {
    const seen = new Map<string, string>();
    for (const { id } of await listShards(store)) seen.set(id, await committedTo(store, id));
    return sqliteStream({ path: join(dataDirectory, "stream.db"), clock, seen });
  }
  const opened = await openKinesis(stream);
  log(`stream: ${stream}`);
  return opened;
}

/** `kinesis:NAME` as a stream. Throws `config` for any other form. */
export async function openKinesis(stream: string): Promise<Stream> {
  const name = named(stream, "kinesis:NAME", "--stream");
  const { kinesisStream } = await import("../../processors/streams/kinesis.ts");
  return kinesisStream({ stream: name });
}

/** `form` as in "kinesis:NAME". */
function named(value: string, form: string, flag: string): string {
  const [prefix, name] = value.split(/:(.*)/s);
  if (prefix !== form.split(":", 1)[0] || !name)
    throw new ClickstreamError("config", `${flag} ${value}: write ${form}`);
  return name;
}
