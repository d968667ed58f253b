/** The stores that schedules run over: each schedule finds its own empty, whatever was played before. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { Clock } from "../../processors/model/time.ts";
import { dynamoStore } from "../../processors/stores/dynamodb.ts";
import { createTable } from "../../processors/stores/dynamodb-table.ts";
import { memoryStore } from "../../processors/stores/memory.ts";
import { sqliteStore } from "../../processors/stores/sqlite.ts";
import type { Item, Store } from "../../processors/stores/store.ts";
import { awsFailure, localClient, startDynalite, startWire } from "../conformance/doubles.ts";
import { Random } from "../kit/random.ts";

export const STORE_KINDS = ["memory", "sqlite", "dynamodb"] as const;
export type StoreKind = (typeof STORE_KINDS)[number];

export interface Stores {
  /** An empty store for the schedule with this seed. */
  readonly open: (clock: Clock, seed: number) => Store;
  /** Turns that most schedules should take at most. */
  readonly turns: number;
  close(): Promise<void>;
}

/** Starts what the kind needs: a file, or DynamoDB's double in this process behind a wire that breaks now and then. */
export function startStores(kind: StoreKind): Promise<Stores> {
  if (kind === "sqlite") return sqliteStores();
  if (kind === "dynamodb") return dynamoStores();
  return Promise.resolve({ open: (clock) => memoryStore({ clock }), turns: 250, close: async () => {} });
}

async function sqliteStores(): Promise<Stores> {
  // In memory where the machine lets us: schedules are about order, and other tests about what survives a power cut.
  const parent = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const directory = await mkdtemp(join(parent, "rivulet-schedules-"));
  let current: Clock = { now: () => 0 };
  const store = sqliteStore({ path: join(directory, "store.db"), clock: { now: () => current.now() } });
  let opened = 0;
  return {
    turns: 250,
    open(clock) {
      current = clock;
      return within(store, `${++opened}`);
    },
    async close() {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Of a hundred requests: how many are throttled, never arrive, or take effect and lose their answer. */
const WIRE_PERCENT = { throttled: 1, lost: 1, unanswered: 1 };

async function dynamoStores(): Promise<Stores> {
  const table = "rivulet-schedules";
  const double = await startDynalite();
  let random = new Random(0);
  let isCalm = true;
  const wire = await startWire(double.endpoint, async ({ forward }) => {
    if (isCalm) return forward();
    let draw = random.below(100);
    draw -= WIRE_PERCENT.throttled;
    if (draw < 0) return awsFailure(400, "ProvisionedThroughputExceededException");
    draw -= WIRE_PERCENT.lost;
    if (draw < 0) return undefined;
    const answer = await forward();
    return draw < WIRE_PERCENT.unanswered ? undefined : answer;
  });
  const client = new DynamoDBClient(localClient(wire.endpoint));
  await createTable({ table, client });
  isCalm = false;
  let current: Clock = { now: () => 0 };
  const store = dynamoStore({ table, clock: { now: () => current.now() }, client });
  let opened = 0;
  return {
    // Each call takes some milliseconds.
    turns: 70,
    open(clock, seed) {
      current = clock;
      random = new Random(seed);
      return within(store, `${++opened}`);
    },
    async close() {
      client.destroy();
      await wire.close();
      await double.close();
    },
  };
}

/** A part of a store that looks like a whole one. */
function within(store: Store, name: string): Store {
  const inner = <T extends { readonly pk: string }>(key: T): T => ({ ...key, pk: `${name} ${key.pk}` });
  const outer = <T extends Item | undefined>(item: T): T =>
    item && { ...item, pk: item.pk.slice(name.length + 1) };
  return {
    get: async (key) => outer(await store.get(inner(key))),
    getMany: async (keys) => (await store.getMany(keys.map(inner))).map(outer),
    list: async (pk, range) => (await store.list(`${name} ${pk}`, range)).map(outer),
    put: (item, expected) => store.put(inner(item), expected),
    delete: (keys) => store.delete(keys.map(inner)),
    close: async () => {},
  };
}
