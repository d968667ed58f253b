/** The store in one SQLite file: durable on return, many puts to one fsync. Knows nothing of what the values mean. */
import { type Clock, type EpochMs, MINUTE_MS } from "../model/time.ts";
import { openSqlite } from "../sqlite.ts";
import { checkKey } from "./keys.ts";
import { pack, QUICK_LEVEL, unpack } from "./packing.ts";
import type { Item, ListRange, Store } from "./store.ts";

/*
 * Not WITHOUT ROWID (https://www.sqlite.org/withoutrowid.html advises against it for large rows): on its way to a key
 * SQLite would read whole values of others, a megabyte each among days of rollups, for every comparison.
 */
const SCHEMA = `
  CREATE TABLE items (
    pk TEXT NOT NULL COLLATE BINARY,
    sk TEXT NOT NULL COLLATE BINARY,
    version INTEGER NOT NULL,
    value BLOB NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (pk, sk)
  ) STRICT;
  CREATE INDEX items_by_expiry ON items (expires_at) WHERE expires_at IS NOT NULL;
`;

/** "RivS" */
const APPLICATION_ID = 0x52697653;

/** Every so many puts at most twice as many expired items are deleted: the file stays in proportion, no put is slow. */
const PUTS_PER_SWEEP = 250;
/** And so often where little is put: salts are to be gone when their time is over, of a site that nobody visits too. */
const SWEEP_EVERY_MS = 10 * MINUTE_MS;

/** What is longer is written often and soon replaced or deleted: commits of an import, snapshots, the month under way. */
const LONG_BYTES = 256 << 10;

const COLUMNS = "pk, sk, version, value, expires_at";
const LIVE = "(expires_at IS NULL OR expires_at > :now)";

interface Row {
  pk: string;
  sk: string;
  version: number;
  value: Uint8Array;
  expires_at: number | null;
}

/**
 * Opens the file at `path`, or makes it. Puts and deletes given in one turn of the event loop share one transaction and
 * resolve after its commit; reads see committed data only.
 * @throws ClickstreamError as `openSqlite`.
 */
export function sqliteStore({ path, clock }: { path: string; clock: Clock }): Store {
  const file = openSqlite(path, {
    name: "store",
    applicationId: APPLICATION_ID,
    version: 1,
    schema: SCHEMA,
  });
  const { db } = file;
  const get = db.prepare(`SELECT ${COLUMNS} FROM items WHERE pk = :pk AND sk = :sk AND ${LIVE}`);
  const insert = db.prepare(
    `INSERT INTO items (${COLUMNS}) VALUES (:pk, :sk, 1, :value, :expiresAt)
     ON CONFLICT DO UPDATE SET version = version + 1, value = excluded.value, expires_at = excluded.expires_at
     WHERE expires_at <= :now`,
  );
  const update = db.prepare(
    `UPDATE items SET version = version + 1, value = :value, expires_at = :expiresAt
     WHERE pk = :pk AND sk = :sk AND version = :expected AND ${LIVE}`,
  );
  const remove = db.prepare("DELETE FROM items WHERE pk = :pk AND sk = :sk");
  const removeExpired = db.prepare(
    `DELETE FROM items WHERE (pk, sk) IN
     (SELECT pk, sk FROM items WHERE expires_at <= :now ORDER BY expires_at LIMIT ${2 * PUTS_PER_SWEEP})`,
  );
  const prepareList = (upper: string, order: string) =>
    db.prepare(
      `SELECT ${COLUMNS} FROM items WHERE pk = :pk AND sk >= :from ${upper} AND ${LIVE} ORDER BY sk ${order} LIMIT :limit`,
    );
  const lists = {
    open: { up: prepareList("", "ASC"), down: prepareList("", "DESC") },
    bounded: { up: prepareList("AND sk < :to", "ASC"), down: prepareList("AND sk < :to", "DESC") },
  };
  let putsSinceSweep = 0;
  let sweptAt: EpochMs = Number.NEGATIVE_INFINITY;

  const sweep = (now: EpochMs): void => {
    putsSinceSweep = 0;
    sweptAt = now;
    removeExpired.run({ now });
  };
  const isSweepDue = (now: EpochMs): boolean => sweptAt > now || now - sweptAt >= SWEEP_EVERY_MS;
  /** Before a read, which neither waits for it nor fails for it: what is left is deleted by the next. */
  const sweepIfDue = (): void => {
    const now = clock.now();
    if (!isSweepDue(now)) return;
    sweptAt = now;
    file.write(() => sweep(now)).catch(() => {});
  };
  const readOne = (pk: string, sk: string): Item | undefined => {
    const row = get.get({ pk, sk, now: clock.now() }) as Row | undefined;
    return row && toItem(row);
  };

  return {
    async get({ pk, sk }) {
      sweepIfDue();
      return file.read(() => readOne(pk, sk));
    },
    async getMany(keys) {
      sweepIfDue();
      return file.read(() => keys.map(({ pk, sk }) => readOne(pk, sk)));
    },
    async list(pk, { from = "", to, limit = Number.POSITIVE_INFINITY, reverse = false }: ListRange = {}) {
      sweepIfDue();
      const statement = lists[to === undefined ? "open" : "bounded"][reverse ? "down" : "up"];
      const bounds: Record<string, string> = to === undefined ? { from } : { from, to };
      const most = Number.isFinite(limit) ? limit : -1; // SQLite's word for "all"
      const rows = file.read(() => statement.all({ pk, ...bounds, limit: most, now: clock.now() }));
      return (rows as unknown as Row[]).map(toItem);
    },
    async put({ pk, sk, value, expiresAt }, expected) {
      checkKey({ pk, sk });
      const level = value.length > LONG_BYTES ? QUICK_LEVEL : undefined;
      const packed = pack(value, level); // before the transaction, which should be short
      return file.write(() => {
        const now = clock.now();
        const given = { pk, sk, value: packed, expiresAt: expiresAt ?? null, now };
        const { changes } = expected === 0 ? insert.run(given) : update.run({ ...given, expected });
        if (++putsSinceSweep >= PUTS_PER_SWEEP || isSweepDue(now)) sweep(now);
        return changes === 1;
      });
    },
    async delete(keys) {
      if (keys.length === 0) return;
      await file.write(() => {
        for (const { pk, sk } of keys) remove.run({ pk, sk });
      });
    },
    close: () => file.close(),
  };
}

function toItem({ pk, sk, version, value, expires_at }: Row): Item {
  const item = { pk, sk, version, value: unpack(value) };
  return expires_at === null ? item : { ...item, expiresAt: expires_at };
}
