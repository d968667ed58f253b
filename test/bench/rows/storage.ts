/** What is written and kept for a day's share of events: the pipeline on SQLite, compacted as on AWS. */
import { statSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { meteredStore, noUnits, type StoreUnits } from "../../../infra/local/cost/units.ts";
import { keyedHash, randomBytes } from "../../../processors/crypto.ts";
import { HOUR_MS, MINUTE_MS } from "../../../processors/model/time.ts";
import { ShardWorker } from "../../../processors/pipeline/aggregate.ts";
import { isCompactionDue } from "../../../processors/pipeline/cadence.ts";
import { compactAll } from "../../../processors/pipeline/compact.ts";
import { registerSites } from "../../../processors/pipeline/sites.ts";
import { sqliteStore } from "../../../processors/stores/sqlite.ts";
import type { Store } from "../../../processors/stores/store.ts";
import { manualClock } from "../../kit/clock.ts";
import type { BenchContext, Benchmark } from "../benchmark.ts";
import { CORPUS_FROM, makeCorpus, SITE, streamRecord } from "../corpus.ts";
import { exactly, short } from "../measure.ts";

/** A million a day. */
const EVENTS_A_SECOND = 1_000_000 / 86_400;
const MINUTES = 120;
/** Until the log is compacted and deleted but for what no snapshot holds. */
const QUIET_HOURS = 3;
/** Rates that write-units is also measured at, and for how long: about 100,000 events each. */
const BUSIER = [
  { eventsPerSecond: 200, minutes: 8 },
  { eventsPerSecond: 2_000, minutes: 1 },
];

/** Visits go on for a while and only whole batches are sent: in so many times the time as many events are sent as arrive in it. */
const STRETCH = 1.9;

interface Simulated {
  readonly events: number;
  /** As they arrived. */
  readonly eventsPerSecond: number;
  /** Packed values and keys, by what is kept. */
  readonly bytesOf: ReadonlyMap<string, number>;
  readonly bytes: number;
  readonly units: number;
  /** By what is written: log, state, minute, hour... */
  readonly unitsOf: ReadonlyMap<string, number>;
}
let simulated: Promise<Simulated> | undefined;

/** Some minutes of traffic, then enough quiet for the log to be cleaned up. */
async function simulate(
  { seed, directory }: BenchContext,
  { eventsPerSecond, minutes }: { readonly eventsPerSecond: number; readonly minutes: number },
): Promise<Simulated> {
  const clock = manualClock(CORPUS_FROM);
  const path = join(await mkdtemp(join(directory, "s-")), "store.db");
  const file = sqliteStore({ path, clock });
  const meters = new Map<string, StoreUnits>();
  const store = meteredByKind(file, meters);
  await registerSites(store, clock, [{ id: SITE, timeZone: "UTC" }]);
  const deps = { store, clock, hash: keyedHash, randomBytes, country: () => "" };
  const worker = new ShardWorker(deps, { id: "shard-0", parents: [] });
  const hours = minutes / 60;
  const corpus = makeCorpus({ seed, events: eventsPerSecond * minutes * 60, hours: hours * STRETCH });
  const tidy = async (): Promise<void> => {
    await compactAll({ store, clock });
  };
  let askedAt = clock.now();
  // Once a second, as the consumer on AWS is called.
  for (let i = 0; i < corpus.records.length; ) {
    const until = corpus.records[i]!.arrivalAt + 1_000;
    let end = i;
    while (end < corpus.records.length && corpus.records[end]!.arrivalAt < until) end++;
    clock.advanceTo(until);
    await worker.process(corpus.records.slice(i, end).map(streamRecord));
    i = end;
    if (clock.now() - askedAt < MINUTE_MS) continue;
    askedAt = clock.now();
    if (await isCompactionDue({ store, clock })) await tidy();
  }
  for (let quiet = 0; quiet < QUIET_HOURS; quiet++) {
    clock.advance(HOUR_MS);
    await tidy();
  }
  await store.close();
  const db = new DatabaseSync(path);
  const kinds = db.prepare(
    `SELECT substr(pk, 1, instr(pk || '/', '/') - 1) AS kind, sum(length(value) + length(pk) + length(sk)) AS bytes
     FROM items GROUP BY kind`,
  );
  const bytesOf = new Map(kinds.all().map(({ kind, bytes }) => [String(kind), Number(bytes)]));
  db.exec("VACUUM");
  db.close();
  const unitsOf = new Map([...meters].map(([kind, { writes }]) => [kind, writes]));
  return {
    events: corpus.events,
    eventsPerSecond: (corpus.events * 1_000) / (clock.now() - QUIET_HOURS * HOUR_MS - CORPUS_FROM),
    bytesOf,
    bytes: statSync(path).size,
    units: [...unitsOf.values()].reduce((sum, count) => sum + count, 0),
    unitsOf,
  };
}

/** A meter for each kind of item; what is deleted from the log apart, because it costs as much again. */
function meteredByKind(store: Store, meters: Map<string, StoreUnits>): Store {
  const metered = (kind: string): Store => {
    const meter = meters.get(kind) ?? noUnits();
    meters.set(kind, meter);
    return meteredStore(store, meter);
  };
  const kindOf = (pk: string): string => pk.split("/", 1)[0]!;
  return {
    ...store,
    put: (item, expected) => metered(kindOf(item.pk)).put(item, expected),
    async delete(keys) {
      for (const [kind, some] of Map.groupBy(keys, ({ pk }) => kindOf(pk)))
        await metered(`${kind} deleted`).delete(some);
    },
  };
}

const perThousand = ({ units, events }: Simulated): number => (units * 1_000) / events;

const writes: Benchmark = {
  id: "write-units",
  what: "DynamoDB write units for 1,000 events, a commit a second and compaction when it is due",
  against: "one write for each event",
  unit: "units",
  better: "lower",
  floor: 0.1,
  aim: 0.02,
  async run(context) {
    simulated ??= simulate(context, { eventsPerSecond: EVENTS_A_SECOND, minutes: MINUTES });
    const usual = await simulated;
    const shares = [...usual.unitsOf]
      .sort((a, b) => b[1] - a[1])
      .map(([kind, count]) => `${kind} ${short((count * 1_000) / usual.events)}`);
    context.note(
      `write-units: of ${short(usual.events)} events at ${short(usual.eventsPerSecond)} a second: ${shares.slice(0, 8).join(", ")}`,
    );
    for (const load of BUSIER) {
      const busy = await simulate(context, load);
      context.note(
        `write-units: ${short(perThousand(busy))} units at ${short(busy.eventsPerSecond)} events a second, of ${short(busy.events)}`,
      );
    }
    return exactly(perThousand(usual), 1_000);
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
    simulated ??= simulate(context, { eventsPerSecond: EVENTS_A_SECOND, minutes: MINUTES });
    const { bytes: size, events, bytesOf } = await simulated;
    const shares = [...bytesOf]
      .sort((a, b) => b[1] - a[1])
      .map(([kind, bytes]) => `${kind} ${short(bytes / events)}`);
    context.note(
      `stored-bytes: ${short(events)} events in all, of which ${shares.slice(0, 5).join(", ")} bytes each; of these, log and state stop growing after an hour and a day, minutes after eight days`,
    );
    return exactly(size / events, 1_100);
  },
};

export const benchmarks: readonly Benchmark[] = [writes, bytes];
