import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { openSqlite, sqliteError } from "../../processors/sqlite.ts";
import { temporaryDirectory } from "../kit/temporary.ts";

const directory = temporaryDirectory();
const kind = {
  name: "store",
  applicationId: 7,
  version: 2,
  schema: "CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT",
};
const thrown = (work: () => unknown): unknown => {
  try {
    return void work();
  } catch (error) {
    return error;
  }
};

it("makes missing directories, and files that only their owner can read", async () => {
  const path = join(directory, "a", "b", "private.db");
  const file = openSqlite(path, kind);
  await file.write(() => file.db.exec("INSERT INTO t VALUES (1)"));
  for (const name of [path, `${path}-wal`]) expect(statSync(name).mode & 0o777).toBe(0o600);
  await file.close();
});

it("syncs every commit", async () => {
  const file = openSqlite(join(directory, "sync.db"), kind);
  expect(file.db.prepare("PRAGMA synchronous").get()).toEqual({ synchronous: 2 }); // FULL
  expect(file.db.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
  await file.close();
});

it("leaves nothing in the file of what was deleted", async () => {
  const path = join(directory, "deleted.db");
  const file = openSqlite(path, { ...kind, schema: "CREATE TABLE t (text TEXT) STRICT" });
  const insert = (text: string) => file.write(() => file.db.prepare("INSERT INTO t VALUES (?)").run(text));
  await insert("visited by 203.0.113.77");
  await insert("kept");
  await file.write(() => file.db.exec("DELETE FROM t WHERE text LIKE 'visited%'"));
  await file.close();
  const bytes = readFileSync(path, "latin1");
  expect(bytes).toContain("kept");
  expect(bytes).not.toContain("203.0.113.77");
});

it.each([
  { name: "a newer schema", change: "PRAGMA user_version = 3", message: "a newer Rivulet wrote it" },
  { name: "an older schema", change: "PRAGMA user_version = 1", message: "it is too old" },
  {
    name: "another kind of file",
    change: "PRAGMA application_id = 8",
    message: "is not a Rivulet store file",
  },
])("refuses $name with advice, and leaves it alone", async ({ name, change, message }) => {
  const path = join(directory, `${name}.db`);
  await openSqlite(path, kind).close();
  const other = new DatabaseSync(path);
  other.exec(change);
  other.close();
  const error = thrown(() => openSqlite(path, kind));
  expect(error).toMatchObject({ code: "config", message: expect.stringContaining(message) });
});

it("refuses a file that is no database, and a place where no file can be", () => {
  const path = join(directory, "notes.txt");
  writeFileSync(path, "not a database, but long enough to look for a header ".repeat(20));
  expect(thrown(() => openSqlite(path, kind))).toMatchObject({ code: "config" });
  expect(thrown(() => openSqlite(join(path, "store.db"), kind))).toMatchObject({ code: "config" });
});

it("fails one piece of work without its neighbours", async () => {
  const file = openSqlite(join(directory, "neighbours.db"), kind);
  const insert = (n: number) => file.write(() => file.db.prepare("INSERT INTO t VALUES (?)").run(n));
  const results = await Promise.allSettled([insert(1), insert(1), insert(2)]);
  expect(results.map((it) => it.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(results[1]).toMatchObject({ reason: { code: "invariant" } });
  expect(file.db.prepare("SELECT n FROM t").all()).toEqual([{ n: 1 }, { n: 2 }]);
  await file.close();
});

it("does what pieces of work share once a transaction, and again after a rollback", async () => {
  const file = openSqlite(join(directory, "shared.db"), kind);
  let last = 0;
  let isBegun = 0;
  const shared = {
    begin() {
      isBegun++;
      last = (file.db.prepare("SELECT max(n) AS n FROM t").get() as { n: number | null }).n ?? 0;
    },
    end: () => void file.db.prepare("INSERT INTO t VALUES (?)").run(last + 100),
  };
  const put = (fails = false) =>
    file.write(() => {
      file.db.prepare("INSERT INTO t VALUES (?)").run(++last);
      if (fails) throw new Error("never mind");
      return last;
    }, shared);
  expect(await Promise.all([put(), put(), put()])).toEqual([1, 2, 3]);
  expect(isBegun).toBe(1);
  const results = await Promise.allSettled([put(), put(true), put()]);
  // Each on its own then, so each is followed by what they share.
  expect(results.map((it) => it.status === "fulfilled" && it.value)).toEqual([104, false, 205]);
  expect(isBegun).toBe(5);
  await file.close();
});

it("reports a full disk to everybody in the commit, and works again when there is room", async () => {
  const file = openSqlite(join(directory, "full.db"), { ...kind, schema: "CREATE TABLE t (b BLOB) STRICT" });
  const insert = () => file.write(() => file.db.prepare("INSERT INTO t VALUES (zeroblob(50000))").run());
  file.db.exec("PRAGMA max_page_count = 20"); // SQLite's own way to run out of space
  const results = await Promise.allSettled([insert(), insert(), insert()]);
  for (const result of results)
    expect(result).toMatchObject({
      reason: { code: "unavailable", message: expect.stringContaining("disk is full") },
    });
  expect(file.db.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: 0 });
  file.db.exec("PRAGMA max_page_count = 10000");
  await insert();
  expect(file.db.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: 1 });
  await file.close();
});

it("calls a read-only file and a lock of another process outages", () => {
  const path = join(directory, "errors.db");
  const writer = new DatabaseSync(path, { timeout: 0 });
  writer.exec("CREATE TABLE t (n INTEGER)");
  const reader = new DatabaseSync(path, { readOnly: true });
  const readOnly = sqliteError(
    path,
    thrown(() => reader.exec("INSERT INTO t VALUES (1)")),
  );
  expect(readOnly).toMatchObject({ code: "unavailable", message: expect.stringContaining("read-only") });
  writer.exec("BEGIN EXCLUSIVE");
  const second = new DatabaseSync(path, { timeout: 0 });
  const locked = sqliteError(
    path,
    thrown(() => second.exec("BEGIN IMMEDIATE")),
  );
  expect(locked).toMatchObject({ code: "unavailable", message: expect.stringContaining("locked") });
  expect(locked.cause).toBeInstanceOf(Error);
  for (const db of [writer, reader, second]) db.close();
});
