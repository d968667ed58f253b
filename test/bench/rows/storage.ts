/** What is written and kept for a day's share of events: the pipeline on SQLite, compacted every minute of its own clock. */
import { statSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { keyedHash, randomBytes } from "../../../processors/crypto.ts";
import { HOUR_MS, MINUTE_MS } from "../../../processors/model/time.ts";
import { ShardWorker } from "../../../processors/pipeline/aggregate.ts";
import { compact } from "../../../processors/pipeline/compact.ts";
import { registerSites } from "../../../processors/pipeline/sites.ts";
import { pack } from "../../../processors/stores/packing.ts";
import { sqliteStore } from "../../../processors/stores/sqlite.ts";
import type { Store } from "../../../processors/stores/store.ts";
import { manualClock } from "../../kit/clock.ts";
import type { BenchContext, Benchmark } from "../benchmark.ts";
import { CORPUS_FROM, makeCorpus, SITE, streamRecord } from "../corpus.ts";
import { exactly, short } from "../measure.ts";

/** A million a day. */
const EVENTS_AN_HOUR = 1_000_000 / 24;
const HOURS = 2;

interface Simulated {
  readonly events: number;
  readonly bytes: number;
  readonly units: number;
  /** By what is written: log, state, minute, hour... */
  readonly unitsOf: ReadonlyMap<string, number>;
}
let simulated: Promise<Simulated> | undefined;

/** Two hours of traffic, then enough quiet for the log to be cleaned up. Both rows share it. */
async function simulate({ seed, directory }: BenchContext): Promise<Simulated> {
  const clock = manualClock(CORPUS_FROM);
  const path = join(await mkdtemp(join(directory, "s-")), "store.db");
  const file = sqliteStore({ path, clock });
  const unitsOf = new Map<string, number>();
  const bill = (pk: string, units: number): void => {
    const kind = pk.split("/", 1)[0]!;
    unitsOf.set(kind, (unitsOf.get(kind) ?? 0) + units);
  };
  /** DynamoDB bills a unit for each KB begun, of what it is given; a delete for what it takes away, here one. */
  const store: Store = {
    ...file,
    put(item, expected) {
      bill(item.pk, Math.ceil((pack(item.value).length + item.pk.length + item.sk.length + 20) / 1_024));
      return file.put(item, expected);
    },
    delete(keys) {
      for (const { pk } of keys) bill(pk, 1);
      return file.delete(keys);
    },
  };
  await registerSites(store, clock, [{ id: SITE, timeZone: "UTC" }]);
  const deps = { store, clock, hash: keyedHash, randomBytes, country: () => "" };
  const worker = new ShardWorker(deps, { id: "shard-0", parents: [] });
  const corpus = makeCorpus({ seed, events: EVENTS_AN_HOUR * HOURS, hours: HOURS * 4 });
  let compactedAt = clock.now();
  const tidy = async (): Promise<void> => {
    compactedAt = clock.now();
    for (let more = true; more; ) ({ more } = await compact({ store, clock }));
  };
  // Once a second, as the consumer on AWS is called.
  for (let i = 0; i < corpus.records.length; ) {
    const until = corpus.records[i]!.arrivalAt + 1_000;
    let end = i;
    while (end < corpus.records.length && corpus.records[end]!.arrivalAt < until) end++;
    clock.advanceTo(until);
    await worker.process(corpus.records.slice(i, end).map(streamRecord));
    i = end;
    if (clock.now() - compactedAt >= MINUTE_MS) await tidy();
  }
  const written = new Map(unitsOf);
  for (let quiet = 0; quiet < 3; quiet++) {
    clock.advance(HOUR_MS);
    await tidy();
  }
  await store.close();
  const db = new DatabaseSync(path);
  db.exec("VACUUM");
  db.close();
  return {
    events: corpus.events,
    bytes: statSync(path).size,
    units: [...written.values()].reduce((sum, count) => sum + count, 0),
    unitsOf: written,
  };
}

const writes: Benchmark = {
  id: "write-units",
  what: "DynamoDB write units for 1,000 events, a commit a second and compaction every minute",
  against: "one write for each event",
  unit: "units",
  better: "lower",
  floor: 0.1,
  aim: 0.02,
  async run(context) {
    simulated ??= simulate(context);
    const { units, unitsOf, events } = await simulated;
    const shares = [...unitsOf]
      .sort((a, b) => b[1] - a[1])
      .map(([kind, count]) => `${kind} ${short((count * 1_000) / events)}`);
    context.note(`write-units: of ${short(events)} events at 12 a second: ${shares.join(", ")}`);
    return exactly((units * 1_000) / events, 1_000);
  },
};

const bytes: Benchmark = {
  id: "stored-bytes",
  what: "bytes in the store for each event, minutes and hours and visitors' state, after the log was cleaned up",
  against: "Umami 3.1 with PostgreSQL, earlier: 1,100",
  unit: "B",
  better: "lower",
  floor: 1 / 20,
  aim: 1 / 200,
  async run(context) {
    simulated ??= simulate(context);
    const { bytes: size, events } = await simulated;
    context.note(
      `stored-bytes: ${short(events)} events in all; minutes stay for days and hours for years, so a longer history has fewer bytes an event`,
    );
    return exactly(size / events, 1_100);
  },
};

export const benchmarks: readonly Benchmark[] = [writes, bytes];
