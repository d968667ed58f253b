/** An object is imported at a share of the stream, and by one at a time; S3 is a double, the rest is real. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { importObject, type ObjectImportDeps } from "../../../processors/handlers/importing.ts";
import { s3Objects } from "../../../processors/imports/s3.ts";
import { isImported } from "../../../processors/pipeline/decode/imported.ts";
import type { ObjectNotice } from "../../../processors/pipeline/import/notices.ts";
import { registerSites } from "../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import { memoryStream } from "../../../processors/streams/memory.ts";
import { manualClock } from "../../kit/clock.ts";
import { type Imports, startImports } from "../../kit/imports.ts";
import { Random } from "../../kit/random.ts";
import { randomLog } from "../pipeline/import/kit.ts";

const NOW = Date.UTC(2026, 2, 20);
const HOUR = 3_600_000;
const SEED = Number(process.env.RIVULET_SEED ?? 11);

let imports: Imports;
beforeAll(async () => {
  imports = await startImports({ prefix: "imports/", maxReceiveCount: 5, queueAttributes: {} });
});
afterAll(() => imports?.close());

/** Whoever sleeps moves the clock. */
async function bench(shards: number) {
  const clock = manualClock(NOW);
  const store = memoryStore({ clock });
  const stream = memoryStream({ clock, shards });
  await registerSites(store, clock, [{ id: "example.com", timeZone: "UTC" }]);
  const puts: { at: number; bytes: number }[] = [];
  const told: string[] = [];
  const lines: string[] = [];
  const deps: ObjectImportDeps = {
    store,
    clock,
    stream: {
      shards: stream.shards,
      async putMany(records) {
        puts.push({ at: clock.now() - NOW, bytes: records.reduce((sum, { data }) => sum + data.length, 0) });
        expect(records.every(({ data }) => isImported(data))).toBe(true);
        return Promise.all(records.map((record) => stream.put(record)));
      },
    },
    objects: (bucket) => s3Objects({ bucket, client: imports.s3 }),
    tellAgain: async (text) => void told.push(text),
    sleep: async (ms) => clock.advance(ms),
    log: (line) => lines.push(line),
  };
  return { deps, clock, puts, told, lines };
}

const notice = async (name: string, body: string): Promise<ObjectNotice> => {
  const key = `imports/example.com/${name}`;
  await imports.drop(key, body);
  return { bucket: imports.bucket, key, text: `about ${name}` };
};
const plenty = { stopAt: NOW + HOUR, goneAt: NOW + HOUR };

it.each([1, 4])(
  `leaves seven eighths of %i shards to live traffic (RIVULET_SEED=${SEED})`,
  async (shards) => {
    const { deps, puts, lines } = await bench(shards);
    await importObject(deps, await notice(`${shards}.log`, randomLog(new Random(SEED), 9_000)), plenty);
    expect(lines).toEqual([expect.stringMatching(/imported, \d+ events, \d+ bad lines$/)]);
    expect(puts.length).toBeGreaterThan(2);
    const perSecond = (1024 * 1024 * shards) / 8;
    let before = 0;
    for (const { at, bytes } of puts) {
      expect(bytes).toBeLessThanOrEqual(256 * 1024);
      expect(before, "before the next go, those before have had their time").toBeLessThanOrEqual(
        (at / 1_000) * perSecond + 1,
      );
      before += bytes;
    }
    expect(puts.at(-1)!.at, "and no more than that").toBeLessThanOrEqual((before / perSecond) * 1_000);
  },
);

it("is told of again when it got on, and fails when there was no time for anything new", async () => {
  const { deps, told, lines } = await bench(1);
  const long = await notice("long.log", randomLog(new Random(SEED), 12_000));
  await importObject(deps, long, { stopAt: NOW, goneAt: NOW + HOUR });
  expect(told).toEqual(["about long.log"]);
  expect(lines[0]).toMatch(/time ran out at \d+, \d+ events; it is told of again$/);
  await expect(importObject(deps, long, { stopAt: NOW, goneAt: NOW + HOUR })).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("no time for more than what is before"),
  });
  await expect(importObject(deps, long, { stopAt: NOW, goneAt: NOW })).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("no time to read as far as it was imported before"),
  });
  expect(told).toHaveLength(1);
  await importObject(deps, long, plenty);
  expect(lines.at(-1)).toContain("imported");
});

it("may be gone on with by whoever is told of it, at once", async () => {
  const { deps, lines } = await bench(1);
  const long = await notice("told.log", randomLog(new Random(SEED), 9_000));
  const tellAgain = (): Promise<void> => importObject(deps, long, plenty);
  await importObject({ ...deps, tellAgain }, long, { stopAt: NOW, goneAt: NOW + HOUR });
  expect(lines[0]).toMatch(/imported, [1-9]\d* events/);
});

it("belongs to one function at a time, and to nobody for longer than that one can live", async () => {
  const { deps, clock, lines } = await bench(1);
  const one = await notice("one.log", randomLog(new Random(SEED), 100));
  let isFirst = true;
  const dies: ObjectImportDeps = {
    ...deps,
    // A function that is ended takes nothing back.
    store: { ...deps.store, delete: async () => {} },
    stream: {
      ...deps.stream,
      async putMany(records) {
        if (isFirst) {
          isFirst = false;
          await expect(importObject(deps, one, plenty)).rejects.toThrow("is being imported already");
        }
        return deps.stream.putMany(records);
      },
    },
  };
  await importObject(dies, one, plenty);
  await expect(importObject(deps, one, plenty)).rejects.toThrow("is being imported already");
  clock.advance(HOUR + 1);
  await importObject(deps, one, { stopAt: NOW + 2 * HOUR, goneAt: NOW + 2 * HOUR });
  expect(lines.at(-1), "known again").toMatch(/imported, 0 events, \d+ bad lines$/);
});
