/** A stream, a store and workers under a manual clock, for tests that play with single steps of the pipeline. */
import { keyedHash } from "../../../processors/crypto.ts";
import type { StreamLine } from "../../../processors/model/streamfile.ts";
import { partitionKeyOf } from "../../../processors/model/streamfile.ts";
import type { Clock } from "../../../processors/model/time.ts";
import { type AggregateDeps, ShardWorker } from "../../../processors/pipeline/aggregate.ts";
import { compactAll as compactFully } from "../../../processors/pipeline/compact.ts";
import { encodeJson } from "../../../processors/pipeline/json.ts";
import { QueryEngine } from "../../../processors/pipeline/query/engine.ts";
import { registerSites } from "../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import type { Store } from "../../../processors/stores/store.ts";
import type { StreamRecord } from "../../../processors/streams/stream.ts";
import { type ManualClock, manualClock } from "../../kit/clock.ts";
import { newTally, type Oracle } from "../../kit/oracle.ts";
import { rollupBytes } from "../../kit/rollups.ts";
import { HOUR, NOON, SITE } from "./lines.ts";

export const SHARD = { id: "shard-0", parents: [] as string[] };
export const METRICS = [
  "visitors",
  "visits",
  "pageviews",
  "events",
  "bounce_rate",
  "visit_duration",
  "time_on_page",
];

export interface Rig {
  readonly clock: ManualClock;
  readonly store: Store;
  /** `clock` where the worker's own differs from everybody's. */
  worker(
    shard?: { id: string; parents: readonly string[] },
    store?: Store,
    clock?: Clock,
    more?: Pick<AggregateDeps, "maxLogBytes">,
  ): ShardWorker;
  engine(store?: Store): QueryEngine;
}

export async function rig({ start = NOON, zone = "UTC" } = {}): Promise<Rig> {
  const clock = manualClock(start);
  const store = memoryStore({ clock });
  await registerSites(store, clock, [{ id: SITE, timeZone: zone }]);
  // Salts that do not depend on who asked first, for days around the start.
  for (let day = -4; day <= 4; day++) {
    const number = Math.floor(start / (24 * HOUR)) + day;
    await store.put(
      { pk: "salt", sk: String(number), value: new TextEncoder().encode(`salt of ${number}`) },
      0,
    );
  }
  const deps = {
    clock,
    hash: keyedHash,
    randomBytes: (length: number) => new Uint8Array(length).fill(7),
    country: () => "",
  };
  return {
    clock,
    store,
    worker: (shard = SHARD, behind = store, own: Clock = clock, more = {}) =>
      new ShardWorker({ ...deps, clock: own, store: behind, ...more }, shard),
    engine: (behind = store) => new QueryEngine({ store: behind, clock, lagMs: async () => 0 }),
  };
}

/** Records of one shard, numbered from `first` in a way that only numbers, not texts, order. */
export const recordsOf = (lines: readonly StreamLine[], first = 8): StreamRecord[] =>
  lines.map(({ arrival, envelope }, i) => ({
    sequence: String(first + i),
    partitionKey: partitionKeyOf(envelope),
    arrivalAt: arrival,
    data: encodeJson(envelope),
  }));

export const compactAll = (store: Store, clock: Clock): Promise<void> => compactFully({ store, clock });

const iso = (at: number): string => new Date(at).toISOString();

/** Metrics of the totals in a range of whole hours. */
export async function totals(engine: QueryEngine, from: number, to: number): Promise<unknown[]> {
  const { results } = await engine.query({
    site_id: SITE,
    metrics: METRICS,
    date_range: [iso(from), iso(to)],
  });
  return results[0]?.metrics ?? [];
}

/** The same by the oracle. */
export function expectedTotals(oracle: Oracle, from: number, to: number): unknown[] {
  const row = oracle.tally({ site: SITE, from, to }).get('["",""]') ?? newTally();
  const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : Math.round(part / whole));
  return [
    row.visitors.size,
    row.visits,
    row.pageviews,
    row.events,
    ratio(100 * row.bounces, row.visits),
    ratio(row.durationMs, 1000 * row.visits),
    row.reads === 0 ? null : ratio(row.engagedMs, 1000 * row.reads),
  ];
}

/** Bytes of every rollup, by granularity and start; days that wait to be derived are absent. */
export const rollupsOf = (store: Store): Promise<Map<string, string>> => rollupBytes(store, SITE);

/** Passes every operation on, after `before` has had its turn. */
export function interrupted(store: Store, before: (operation: string, pk: string) => Promise<void>): Store {
  const after = async <T>(operation: string, pk: string, work: () => Promise<T>): Promise<T> => {
    await before(operation, pk);
    return work();
  };
  return {
    get: (key) => after("get", key.pk, () => store.get(key)),
    getMany: (keys) => after("getMany", keys[0]?.pk ?? "", () => store.getMany(keys)),
    list: (pk, range) => after("list", pk, () => store.list(pk, range)),
    put: (item, expected) => after("put", item.pk, () => store.put(item, expected)),
    delete: (keys) => after("delete", keys[0]?.pk ?? "", () => store.delete(keys)),
    close: async () => {},
  };
}
