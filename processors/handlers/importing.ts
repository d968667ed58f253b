/**
 * Imports the objects that S3 tells of: once whatever is told twice, a while at a time, and never faster than a share of
 * the stream. Knows neither queue nor function.
 */
import { batchesOf } from "../aws.ts";
import { ClickstreamError } from "../errors.ts";
import { sha256, unpacked } from "../imports/bytes.ts";
import type { RawFile } from "../imports/rawfile.ts";
import { type S3Objects, s3Report } from "../imports/s3.ts";
import type { Clock, EpochMs } from "../model/time.ts";
import { type ImportResult, importFile } from "../pipeline/import/importer.ts";
import { type ObjectNotice, type Place, placeOf } from "../pipeline/import/notices.ts";
import { Pace, shareOf } from "../pipeline/import/pace.ts";
import type { ImportRecord } from "../pipeline/import/record.ts";
import { hostOf, importSource } from "../pipeline/import/source.ts";
import { parseMapping } from "../pipeline/import/table.ts";
import { SiteDirectory } from "../pipeline/sites.ts";
import type { Store } from "../stores/store.ts";
import type { Stream } from "../streams/stream.ts";

export interface ObjectImportDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly stream: Pick<Stream, "shards"> & Required<Pick<Stream, "putMany">>;
  readonly objects: (bucket: string) => S3Objects;
  /** Tells of an object again, so that somebody goes on with it. */
  readonly tellAgain: (text: string) => Promise<void>;
  readonly sleep: (ms: number) => Promise<unknown>;
  readonly log: (line: string) => void;
}

/** When to stop, and when whoever imports is gone for certain. */
export interface TimeLimit {
  readonly stopAt: EpochMs;
  readonly goneAt: EpochMs;
}

/** Two run at once at most, which together take a quarter. */
const PART_OF_SHARDS = 1 / 8;
/** What goes at once: as much as a shard takes in a quarter of a second. */
const MAX_PUT_BYTES = 256 * 1024;
/** With one shard all go there; with more, a chunk is spread over so many records. */
const LANES = 8;

/**
 * Resolves when the object is imported, when there is nothing to import, or when the rest of it has been told of again.
 * Throws `bad_request`, `not_found` (no such site) or `config` for what will never work as it is, else what passes.
 */
export async function importObject(
  deps: ObjectImportDeps,
  notice: ObjectNotice,
  limit: TimeLimit,
): Promise<void> {
  const { clock, log } = deps;
  const { bucket, key } = notice;
  const name = `s3://${bucket}/${key}`;
  const place = placeOf(key);
  if (!place) return;
  await new SiteDirectory(deps).site(place.site, `key "${key}"`);
  const objects = deps.objects(bucket);
  const found = await objects.open(key);
  if (!found) return log(`${name}: gone before it was imported`);
  if (found.byteLength === 0) return log(`${name}: empty`);
  const file = readWithin(found, () => {
    if (clock.now() >= (limit.stopAt + limit.goneAt) / 2)
      throw new ClickstreamError("unavailable", `${name}: no time to read as far as it was imported before`);
  });

  const stoppedAt = await alone(deps, name, limit.goneAt, async () => {
    const mapping = await objects.text(place.mappingKey);
    const source = await importSource(
      file,
      { newDigest: sha256, unpacked },
      {
        format: "auto",
        all: place.all,
        hostname: hostOf(place.site),
        mapping: mapping === undefined ? undefined : parseMapping(mapping),
      },
    );
    const shards = (await deps.stream.shards()).filter(({ closed }) => !closed).length;
    const report = s3Report(objects, `${place.reportKey}.ndjson`, file.name);
    const result = await importFile(
      {
        store: deps.store,
        clock,
        report,
        put: pacedPut(deps, new Pace(shareOf(shards, PART_OF_SHARDS))),
        shouldStop: () => clock.now() >= limit.stopAt,
      },
      source,
      { site: place.site, lanes: shards === 1 ? 1 : LANES },
    );
    const { entry, from, events, isFinished } = result;
    if (isFinished) {
      await objects.write(...summaryOf(place, file.name, result, report.lines));
      log(`${name}: imported, ${events} events, ${entry.counts.bad} bad lines`);
      return undefined;
    }
    if (entry.position === from)
      throw new ClickstreamError("unavailable", `${name}: no time for more than what is before ${from}`);
    return { position: entry.position, events };
  });
  if (!stoppedAt) return;
  // Not left in the queue: there it would be given up after so many returns, however far it came each time. And not while
  // nobody else may begin: whoever is told may be there at once, and would come back half an hour later.
  await deps.tellAgain(notice.text);
  const { position, events } = stoppedAt;
  log(`${name}: time ran out at ${position}, ${events} events; it is told of again`);
}

/** The file, asking `check` before each part: a function that runs out of time cannot say why any more. */
const readWithin = (file: RawFile, check: () => void): RawFile => ({
  ...file,
  async *stream() {
    for await (const part of file.stream()) {
      check();
      yield part;
    }
  },
  async slice(start, end) {
    check();
    return file.slice(start, end);
  },
});

/** One import of an object at a time: its report is one. Throws `unavailable` while another goes on. */
async function alone<T>(
  { store }: ObjectImportDeps,
  name: string,
  expiresAt: EpochMs,
  work: () => Promise<T>,
): Promise<T> {
  const digest = sha256();
  digest.update(new TextEncoder().encode(name));
  const lock = { pk: "importing", sk: digest.current() };
  if (!(await store.put({ ...lock, value: new TextEncoder().encode(name), expiresAt }, 0)))
    throw new ClickstreamError("unavailable", `${name}: is being imported already`);
  try {
    return await work();
  } finally {
    await store.delete([lock]);
  }
}

const pacedPut =
  ({ stream, clock, sleep }: ObjectImportDeps, pace: Pace) =>
  async (records: readonly ImportRecord[]): Promise<void> => {
    for (const part of batchesOf(records, ({ data }) => data.length, { maxBytes: MAX_PUT_BYTES })) {
      const waitMs = pace.waitMs(part, clock.now());
      if (waitMs > 0) await sleep(waitMs);
      await stream.putMany(part);
    }
  };

function summaryOf(
  { site, reportKey }: Place,
  file: string,
  { entry }: ImportResult,
  reported: number,
): [key: string, text: string, contentType: string] {
  const { settings, startedAt, updatedAt, lines, counts } = entry;
  const summary = {
    file,
    site,
    settings: JSON.parse(settings) as unknown,
    from: new Date(startedAt).toISOString(),
    to: new Date(updatedAt).toISOString(),
    lines,
    ...counts,
    report: counts.bad > 0 ? `${file}.report.ndjson` : null,
    ...(reported < counts.bad ? { reported } : {}),
  };
  return [`${reportKey}.json`, `${JSON.stringify(summary, null, 2)}\n`, "application/json"];
}
