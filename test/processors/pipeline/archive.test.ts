import { describe, expect, it } from "vitest";
import type { Archive } from "../../../processors/archives/archive.ts";
import { keyedHash } from "../../../processors/crypto.ts";
import { ClickstreamError } from "../../../processors/errors.ts";
import { type ArchiveRow, compareRows } from "../../../processors/model/archive.ts";
import { type AggregateDeps, ShardWorker } from "../../../processors/pipeline/aggregate.ts";
import { archiveStore } from "../../../processors/pipeline/archive.ts";
import { listShards, readCommits } from "../../../processors/pipeline/commit.ts";
import type { Store } from "../../../processors/stores/store.ts";
import { HOUR, MINUTE, NOON, post, SITE } from "./lines.ts";
import { interrupted, type Rig, recordsOf, rig, SHARD } from "./rig.ts";

interface Kept extends Archive {
  readonly rows: ArchiveRow[];
}
const memoryArchive = (): Kept => {
  const rows: ArchiveRow[] = [];
  return { rows, write: async (more) => void rows.push(...more), close: async () => {} };
};

const workerOf = ({ clock, store }: Rig, more: Partial<AggregateDeps>): ShardWorker =>
  new ShardWorker(
    { clock, store, hash: keyedHash, randomBytes: () => new Uint8Array(16), country: () => "KR", ...more },
    SHARD,
  );

const POSTS = [
  post({ at: NOON, b: "1", e: [{ n: "pageview" }, { n: "signup", p: { plan: "pro" } }] }),
  post({ at: NOON + MINUTE, b: "1", e: [{ n: "pageview" }] }),
  post({
    at: NOON + 2 * MINUTE,
    b: "2",
    e: [
      { n: "pageview", u: "javascript:" },
      { n: "engagement", ms: 900 },
    ],
  }),
  post({ at: NOON + 3 * MINUTE, b: "3", agent: "Googlebot/2.1", e: [{ n: "pageview" }, { n: "pageview" }] }),
  post({ at: NOON + 4 * MINUTE, b: "4", site: "nobody.example", e: [{ n: "pageview" }] }),
  post({ at: NOON + 5 * MINUTE, b: "5", e: [{ n: "pageview", t: NOON - HOUR }] }),
];

describe("a row", () => {
  it("is kept of each event, report and reject that is counted, and of nothing else", async () => {
    const archive = memoryArchive();
    await workerOf(await rig(), { archive }).process(recordsOf(POSTS));
    const told = archive.rows.map(({ sequence, index, name, rejected, count, late, fresh, visit, at }) => ({
      id: `${sequence}/${index}`,
      what: name ?? `${count} ${rejected}`,
      late,
      fresh,
      visit: visit === null ? null : visit - NOON,
      at: at - NOON,
    }));
    expect(told).toEqual([
      { id: "8/0", what: "pageview", late: false, fresh: true, visit: 0, at: 0 },
      { id: "8/1", what: "signup", late: false, fresh: true, visit: 0, at: 0 },
      { id: "10/0", what: "1 invalid_url", late: false, fresh: false, visit: null, at: 2 * MINUTE },
      { id: "10/1", what: "engagement", late: false, fresh: false, visit: 0, at: 2 * MINUTE },
      { id: "11/0", what: "2 bot", late: false, fresh: false, visit: null, at: 3 * MINUTE },
      { id: "13/0", what: "pageview", late: true, fresh: false, visit: -HOUR, at: -HOUR },
    ]);
    expect(archive.rows[1]).toMatchObject({
      site: SITE,
      shard: SHARD.id,
      visit_country: "KR",
      visit_device: "Desktop",
      props: [["plan", "pro"]],
    });
  });

  it("holds neither address nor agent", async () => {
    const archive = memoryArchive();
    const ip = "203.0.113.77";
    await workerOf(await rig(), { archive }).process(
      recordsOf([post({ at: NOON, ip, agent: "Mozilla/5.0 SecretAgent/9.9", e: [{ n: "pageview" }] })]),
    );
    expect(archive.rows).toHaveLength(1);
    expect(JSON.stringify(archive.rows)).not.toMatch(/203\.0\.113|SecretAgent/);
  });

  it("is handed over before the commit that counts it: a crash in between writes it again, and loses none", async () => {
    const archive = memoryArchive();
    const made = await rig();
    let crashes = 1;
    const crashing: Store = interrupted(made.store, async (operation, pk) => {
      if (operation === "put" && pk.startsWith("log/") && crashes-- > 0)
        throw new ClickstreamError("unavailable", "crashed");
    });
    const records = recordsOf(POSTS);
    await expect(workerOf({ ...made, store: crashing }, { archive }).process(records)).rejects.toThrow(
      "crashed",
    );
    const before = archive.rows.length;
    await workerOf(made, { archive }).process(records);
    expect(before).toBeGreaterThan(0);
    const [first, again] = [archive.rows.slice(0, before), archive.rows.slice(before)];
    expect(again).toEqual(first);
  });

  it("that cannot be kept stops the counting, so that the same records come again", async () => {
    const made = await rig();
    const full: Archive = {
      write: async () => {
        throw new ClickstreamError("unavailable", "no space left");
      },
      close: async () => {},
    };
    await expect(workerOf(made, { archive: full }).process(recordsOf(POSTS))).rejects.toThrow(
      "no space left",
    );
    expect(await readCommits(made.store, SHARD.id, 0)).toEqual([]);
  });
});

describe("a consumer of its own for the archive", () => {
  it("decides as the one that counts does, and keeps its progress apart", async () => {
    const made = await rig();
    const [counted, archived] = [memoryArchive(), memoryArchive()];
    const records = recordsOf(POSTS);
    await workerOf(made, { archive: counted }).process(records);
    const own = archiveStore(made.store);
    const deps = { store: own, archive: archived, countsNothing: true };
    await workerOf(made, deps).process(records.slice(0, 3));
    // Another worker goes on from its checkpoint, whatever it is given.
    await workerOf(made, deps).process(records);
    expect([...archived.rows].sort(compareRows)).toEqual(counted.rows);
    expect(await listShards(own)).toEqual([{ ...SHARD, closed: false }]);
    const commits = await readCommits(own, SHARD.id, 0);
    expect(commits.map(({ partials }) => partials.size)).toEqual([0, 0]);
    expect(await readCommits(made.store, SHARD.id, 0)).toHaveLength(1);
  });

  it("forgets its old commits once a snapshot holds them", async () => {
    const made = await rig();
    const own = archiveStore(made.store);
    const worker = workerOf(made, { store: own, archive: memoryArchive(), countsNothing: true });
    const posts = Array.from({ length: 1_105 }, (_, i) =>
      post({ at: NOON + i, b: `b${i}`, e: [{ n: "pageview" }] }),
    );
    const records = recordsOf(posts, 1_000);
    for (const [i, record] of records.entries()) {
      if (i === 100) made.clock.advance(2 * HOUR);
      await worker.process([record]);
    }
    const [oldest] = await readCommits(own, SHARD.id, 0, 1);
    expect(oldest?.n).toBe(101);
  });

  it("forgets all of them, however many came between two snapshots", async () => {
    const made = await rig();
    const deps = { store: archiveStore(made.store), archive: memoryArchive(), countsNothing: true };
    const posts = Array.from({ length: 451 }, (_, i) =>
      post({ at: NOON + i, b: `b${i}`, e: [{ n: "pageview" }] }),
    );
    const records = recordsOf(posts, 1_000);
    const seldom = workerOf(made, deps);
    for (const record of records.slice(0, -1)) await seldom.process([record]);
    made.clock.advance(2 * HOUR);
    await workerOf(made, { ...deps, maxLogBytes: 1 }).process(records);
    expect((await readCommits(deps.store, SHARD.id, 0)).map(({ n }) => n)).toEqual([451]);
  });
});
