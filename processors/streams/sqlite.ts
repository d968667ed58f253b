/** The stream in one SQLite file: a put resolves when it is synced, many puts share one sync. Knows nothing of the data. */
import { ClickstreamError } from "../errors.ts";
import type { Clock } from "../model/time.ts";
import { openSqlite, type Shared } from "../sqlite.ts";
import { checkRecord, HASH_SPACE, hashKey, shardId } from "./partition.ts";
import type { Stream } from "./stream.ts";

// A record's id is its shard's index times SHARD_SPAN plus its place in the shard, and is its rowid too: every shard is
// a run of neighbouring rows, so appending, reading after and trimming need no index.
const SCHEMA = `
  CREATE TABLE shards (shard INTEGER PRIMARY KEY, last INTEGER NOT NULL) STRICT;
  CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    partition_key TEXT NOT NULL,
    arrival_at INTEGER NOT NULL,
    data BLOB NOT NULL
  ) STRICT;
`;

/** 4.4e12 records a shard, 2,048 shards: both are out of reach, and ids stay exact as JavaScript numbers (2^53). */
const SHARD_SPAN = 2 ** 42;
/** A clock that is set wrong leaves half of a shard's numbers; one that is right, until the year 2039, more. */
const LATEST_FIRST = SHARD_SPAN / 2;
const MAX_SHARDS = 2 ** 11;

/** "RivT" */
const APPLICATION_ID = 0x52697654;

/** Rows deleted in one transaction: a few milliseconds, so that puts are not held up by a long trim. */
const TRIM_ROWS = 2_000;

/** One page of a read ends here at the latest: Kinesis' own limits (GetRecords). */
const MAX_READ_RECORDS = 10_000;
const MAX_READ_BYTES = 10 * 1024 * 1024;

export interface SqliteStreamOptions {
  readonly path: string;
  readonly clock: Clock;
  /** Number of shards of a new file, default 1. An existing file keeps its own number. */
  readonly shards?: number;
  /**
   * By shard, the last sequence number that whoever reads it has seen, "" for none. Numbers go on after these where the
   * file knows lower ones: it is new, or an older copy, and a number that comes again would be taken for a record seen.
   */
  readonly seen?: ReadonlyMap<string, string>;
}

interface Row {
  id: number;
  partition_key: string;
  arrival_at: number;
  data: Uint8Array;
}

/**
 * Opens the file at `path`, or makes it. Puts given in one turn of the event loop share one transaction. Sequence numbers
 * never start again, even when everything was trimmed. Trimmed space is used again; the file does not shrink.
 * @throws ClickstreamError as `openSqlite`; `config` for a number of shards out of range, and for numbers seen that no
 * file gives out.
 */
export function sqliteStream({ path, clock, shards = 1, seen = new Map() }: SqliteStreamOptions): Stream {
  if (!Number.isInteger(shards) || shards < 1 || shards > MAX_SHARDS)
    throw new ClickstreamError("config", `shards: 1 to ${MAX_SHARDS}, got ${shards}`);
  const file = openSqlite(path, {
    name: "stream",
    applicationId: APPLICATION_ID,
    version: 1,
    schema: `${SCHEMA} ${firstShards(shards)}`,
  });
  const { db } = file;
  const count = db.prepare("SELECT count(*) AS n FROM shards").get()!.n as number;
  const indexes = new Map(Array.from({ length: count }, (_, index) => [shardId(index), index]));
  const readLast = db.prepare("SELECT last FROM shards WHERE shard = ?");
  const saveLast = db.prepare("UPDATE shards SET last = ? WHERE shard = ?");
  const insert = db.prepare("INSERT INTO records (id, partition_key, arrival_at, data) VALUES (?, ?, ?, ?)");
  const page = db.prepare(
    "SELECT id, partition_key, arrival_at, data FROM records WHERE id > ? AND id < ? ORDER BY id LIMIT ?",
  );
  const remove = db.prepare(
    "DELETE FROM records WHERE id IN (SELECT id FROM records WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?)",
  );

  const raiseLast = db.prepare("UPDATE shards SET last = :last WHERE shard = :shard AND last < :last");
  const goOnAfter = (shard: string, sequence: string): void => {
    const index = indexes.get(shard);
    const last = Number(sequence);
    // Looked up first, since most starts have nothing to raise and should wait for no lock.
    if (index === undefined || last <= (readLast.get(index) as { last: number }).last) return;
    if (last >= (index + 1) * SHARD_SPAN)
      throw new ClickstreamError(
        "config",
        `${path}: ${shard} was read in another stream, up to ${sequence}: go on with that one, or take other data`,
      );
    raiseLast.run({ last, shard: index });
  };
  try {
    for (const [shard, sequence] of seen) file.read(() => goOnAfter(shard, sequence));
  } catch (error) {
    db.close();
    throw error;
  }

  /**
   * Numbers go on after the milliseconds at which the file was opened. Where it and its store were put back from a backup,
   * the archive beside them may be newer: its rows go by these numbers, and what came again would be taken for repeats.
   */
  const opened = Math.min(clock.now(), LATEST_FIRST);
  /**
   * The last number of each shard that this transaction has given out. Read and written once in it: that is a third of a
   * put otherwise. Transactions hold the file's lock, so two processes cannot give out the same.
   */
  const given = new Map<number, number>();
  const numbers: Shared = {
    begin: () => given.clear(),
    end() {
      for (const [index, last] of given) saveLast.run(last, index);
    },
  };

  const indexOf = (shard: string): number => {
    const index = indexes.get(shard);
    if (index === undefined) throw new ClickstreamError("not_found", `shard ${shard} is not in the stream`);
    return index;
  };

  return {
    async put(record) {
      checkRecord(record);
      const { partitionKey } = record;
      const data = record.data.slice(); // the caller may use its buffer again before the commit
      const index = count === 1 ? 0 : Number((hashKey(partitionKey) * BigInt(count)) / HASH_SPACE.to);
      const id = await file.write(() => {
        const before = given.get(index) ?? (readLast.get(index) as { last: number }).last;
        const last = Math.max(before, index * SHARD_SPAN + opened) + 1;
        given.set(index, last);
        insert.run(last, partitionKey, clock.now(), data);
        return last;
      }, numbers);
      return { shard: shardId(index), sequence: String(id) };
    },
    async shards() {
      return [...indexes.keys()].map((id) => ({ id, parents: [], closed: false }));
    },
    async read(shard, after, limit) {
      const base = indexOf(shard) * SHARD_SPAN;
      const from = after === "" ? base : Math.max(base, Number(after));
      return file.read(() => {
        const records = [];
        let size = 0;
        const most = Math.min(limit, MAX_READ_RECORDS);
        for (const row of page.iterate(from, base + SHARD_SPAN, most) as Iterable<unknown>) {
          const { id, partition_key, arrival_at, data } = row as Row;
          records.push({ sequence: String(id), partitionKey: partition_key, arrivalAt: arrival_at, data });
          size += data.length;
          if (size >= MAX_READ_BYTES) break;
        }
        return { records, atEnd: false, caughtUp: records.length < most && size < MAX_READ_BYTES };
      });
    },
    async trim(shard, through) {
      const base = indexOf(shard) * SHARD_SPAN;
      if (through === "") return;
      const to = Math.min(Number(through), base + SHARD_SPAN - 1);
      let removed: number;
      let isAny = false;
      do {
        removed = await file.write(() => Number(remove.run(base, to, TRIM_ROWS).changes));
        isAny ||= removed > 0;
      } while (removed === TRIM_ROWS);
      // Records hold addresses: what is deleted must not live on in the log of writes. Busy readers put it off to the next trim.
      if (isAny) db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    },
    close: () => file.close(),
  };
}

const firstShards = (count: number): string =>
  `INSERT INTO shards (shard, last) VALUES ${Array.from({ length: count }, (_, i) => `(${i}, ${i * SHARD_SPAN})`).join()};`;
