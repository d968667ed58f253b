/** Read and write units as DynamoDB bills them, against a local double. */
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { meteredStore, noUnits, type StoreUnits } from "../../../../infra/local/cost/units.ts";
import { dynamoStore } from "../../../../processors/stores/dynamodb.ts";
import { createTable } from "../../../../processors/stores/dynamodb-table.ts";
import { memoryStore } from "../../../../processors/stores/memory.ts";
import type { Store } from "../../../../processors/stores/store.ts";
import { type Double, localClient, startDynalite } from "../../../conformance/doubles.ts";
import { manualClock } from "../../../kit/clock.ts";
import { Random } from "../../../kit/random.ts";

const clock = manualClock(1_763_800_000_000);
const random = new Random(5);
/** Does not compress, so that its size is its size. */
const noise = (bytes: number): Uint8Array => Uint8Array.from({ length: bytes }, () => random.below(256));

describe("the units of a store", () => {
  let double: Double;
  let table: Store;
  const billed = { reads: 0, writes: 0 };

  beforeAll(async () => {
    double = await startDynalite();
    const client = new DynamoDBClient(localClient(double.endpoint));
    client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          // biome-ignore lint/suspicious/noExplicitAny: the middleware sees all commands at once
          (args.input as any).ReturnConsumedCapacity = "TOTAL";
          // biome-ignore lint/suspicious/noExplicitAny: the middleware sees all commands at once
          const { output } = (await next(args)) as any;
          const units = [output.ConsumedCapacity ?? []]
            .flat()
            .reduce((sum: number, { CapacityUnits }: { CapacityUnits: number }) => sum + CapacityUnits, 0);
          billed[/Get|Query/.test(commandName!) ? "reads" : "writes"] += units;
          return { output, response: undefined };
        },
      { step: "initialize" },
    );
    await createTable({ table: "units", client });
    table = dynamoStore({ table: "units", clock, client });
  });
  afterAll(async () => {
    await table.close();
    await double.close();
  });

  const key = (sk: string) => ({ pk: "commit/shard-1", sk });
  // DynamoDB takes a read unit for a query that finds nothing; the double takes none.
  it.each<[what: string, work: (store: Store) => Promise<unknown>, emptyQueries?: number]>([
    ["writing small items", (store) => store.put({ ...key("a"), value: noise(100) }, 0)],
    [
      "writing some KB that expire",
      (store) => store.put({ ...key("b"), value: noise(5_000), expiresAt: clock.now() + 9e6 }, 0),
    ],
    ["writing what compresses", (store) => store.put({ ...key("c"), value: new Uint8Array(50_000) }, 0)],
    ["writing over an item", (store) => store.put({ ...key("a"), value: noise(2_500) }, 1)],
    ["reading one item", (store) => store.get(key("b"))],
    ["reading one that is not there", (store) => store.get(key("z"))],
    ["reading several", (store) => store.getMany([key("a"), key("b"), key("z")])],
    ["listing a partition", (store) => store.list("commit/shard-1")],
    ["listing nothing", (store) => store.list("commit/none"), 1],
    ["deleting", (store) => store.delete([key("b")]), 1],
  ])("are what DynamoDB bills for %s", async (_what, work, emptyQueries = 0) => {
    const meter: StoreUnits = noUnits();
    const metered = meteredStore(shadow, meter);
    Object.assign(billed, { reads: 0, writes: 0 });
    await work(metered);
    await work(table);
    expect({ reads: meter.reads - emptyQueries, writes: meter.writes }).toEqual(billed);
  });
  const shadow = memoryStore({ clock });
});
