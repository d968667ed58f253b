/**
 * Puts the records of batches that Lambda gave up back into the stream, from the objects that it saved to S3. They come
 * as new records: a checkpoint never goes back. What was counted already is recognised by the ids inside, so a redrive
 * may be broken off, repeated, or contain what came through after all.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ClickstreamError, isOutage } from "../../processors/errors.ts";
import { compareSequences, type Stream } from "../../processors/streams/stream.ts";

export interface RedriveOptions {
  readonly stream: Stream;
  readonly log: (line: string) => void;
  /** Lets time pass before a refused record is put again. Default: real time. */
  readonly wait?: (ms: number) => Promise<unknown>;
}

export interface RedriveSummary {
  readonly files: number;
  readonly records: number;
}

/** One saved object, as far as it concerns us. */
interface Payload {
  readonly file: string;
  readonly condition: string;
  readonly shard: string;
  readonly firstSequence: string;
  readonly records: readonly { readonly partitionKey: string; readonly data: Uint8Array }[];
}

/** A full stream refuses for a second or two; ten tries last about a minute. */
const MAX_TRIES = 10;
const FIRST_WAIT_MS = 200;
const MAX_WAIT_MS = 10_000;

/**
 * `paths` are saved objects, or directories of them as `aws s3 sync` makes them. Nothing is put when one of them is no
 * saved batch. Records go one after the other, the oldest first, so that a visitor's stay in order and live traffic
 * keeps its room. Throws `config` for what cannot be read, `throttled` or `unavailable` when the stream stays away.
 */
export async function redrive(
  paths: readonly string[],
  { stream, log, wait = sleep }: RedriveOptions,
): Promise<RedriveSummary> {
  const payloads = await inOrder((await Promise.all(paths.map(filesOf))).flat());
  let records = 0;
  for (const { file } of payloads) {
    // Read again: together they may be larger than memory.
    const payload = await readPayload(file);
    for (const record of payload.records) await putPatiently(stream, record, wait);
    records += payload.records.length;
    log(`${file}: ${payload.records.length} records of ${payload.shard} (${payload.condition})`);
  }
  return { files: payloads.length, records };
}

async function filesOf(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  } catch (cause) {
    throw new ClickstreamError("config", `${path}: cannot be read`, { cause });
  }
}

/** By first sequence number: within a shard that is the order of arrival, and a child's numbers follow its parent's. */
async function inOrder(files: readonly string[]): Promise<{ file: string; firstSequence: string }[]> {
  const found = [];
  for (const file of new Set(files)) {
    const { firstSequence } = await readPayload(file);
    found.push({ file, firstSequence });
  }
  return found.sort((a, b) => compareSequences(a.firstSequence, b.firstSequence));
}

async function readPayload(file: string): Promise<Payload> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new ClickstreamError("config", `${file}: cannot be read`, { cause });
  }
  const no = (what: string): never => {
    throw new ClickstreamError("config", `${file}: no batch saved by Lambda: ${what}`);
  };
  const saved = parse(text) ?? no("not JSON");
  const info = saved.KinesisBatchInfo ?? no("KinesisBatchInfo is missing");
  // AWS documents the payload as text, and has been seen to write an object.
  const payload =
    typeof saved.payload === "string" ? parse(saved.payload) : (saved.payload as Saved | undefined);
  if (!Array.isArray(payload?.Records)) return no("payload.Records is missing");
  const records = payload.Records.map(({ kinesis }, index) => {
    if (typeof kinesis?.partitionKey !== "string" || typeof kinesis.data !== "string")
      return no(`payload.Records[${index}] has no partition key or data`);
    return { partitionKey: kinesis.partitionKey, data: new Uint8Array(Buffer.from(kinesis.data, "base64")) };
  });
  return {
    file,
    condition: String(saved.requestContext?.condition),
    shard: String(info.shardId),
    firstSequence: String(info.startSequenceNumber),
    records,
  };
}

/** The parts of a saved object that are looked at; whether they are there is for the reader to check. */
interface Saved {
  readonly requestContext?: { readonly condition?: unknown };
  readonly KinesisBatchInfo?: { readonly shardId?: unknown; readonly startSequenceNumber?: unknown };
  readonly payload?: unknown;
  readonly Records?: readonly {
    readonly kinesis?: { readonly partitionKey?: unknown; readonly data?: unknown };
  }[];
}

function parse(text: string): Saved | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

async function putPatiently(
  stream: Stream,
  record: Payload["records"][number],
  wait: (ms: number) => Promise<unknown>,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await stream.put(record);
      return;
    } catch (error) {
      if (!isOutage(error) || tries === MAX_TRIES) throw error;
      await wait(Math.min(FIRST_WAIT_MS * 2 ** tries, MAX_WAIT_MS));
    }
  }
}
