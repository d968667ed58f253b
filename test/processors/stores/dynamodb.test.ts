import { BatchWriteItemCommand, DynamoDBClient, paginateQuery } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dynamoStore } from "../../../processors/stores/dynamodb.ts";
import { createTable } from "../../../processors/stores/dynamodb-table.ts";
import type { Store } from "../../../processors/stores/store.ts";
import {
  awsFailure,
  type Double,
  localClient,
  startDynalite,
  startWire,
  type Wire,
} from "../../conformance/doubles.ts";
import { describeStore } from "../../conformance/store.ts";
import { bytes, freshPartition, noise, text } from "../../conformance/values.ts";
import { manualClock } from "../../kit/clock.ts";

/** With REMOTE=1 the suite runs on the account that the AWS_* variables name; REMOTE_TABLE is made if it is not there, and stays. */
const isRemote = process.env.REMOTE === "1";
const table = isRemote ? (process.env.REMOTE_TABLE ?? "rivulet-test") : "rivulet-test";

let double: Double | undefined;
let client: DynamoDBClient;
beforeAll(async () => {
  if (!isRemote) double = await startDynalite();
  client = double ? new DynamoDBClient(localClient(double.endpoint)) : new DynamoDBClient({});
  await createTable({ table, client });
});
afterAll(async () => {
  client.destroy();
  await double?.close();
});

describeStore("dynamodb", async (clock) => dynamoStore({ table, clock, client }), {
  modelRuns: isRemote ? 5 : 25,
});

const clock = manualClock(Date.now());
const open = (): Store => dynamoStore({ table, clock, client });
const MB = 1_000_000;

/** Sort keys of the chunks that are in the table for a partition. */
const chunksOf = async (pk: string): Promise<string[]> => {
  const pages = paginateQuery(
    { client },
    {
      TableName: table,
      KeyConditionExpression: "pk = :pk",
      ExpressionAttributeValues: { ":pk": { S: `${pk}\u0000chunks` } },
      ProjectionExpression: "sk",
      ConsistentRead: true,
    },
  );
  const found: string[] = [];
  for await (const { Items = [] } of pages) found.push(...Items.map((item) => item.sk!.S!));
  return found;
};

describe("a value too large for one item", () => {
  it("leaves no chunks of replaced, losing or deleted versions behind", async () => {
    const store = open();
    const key = { pk: freshPartition(), sk: "large" };
    expect(await store.put({ ...key, value: noise(MB, 1) }, 0)).toBe(true);
    const first = await chunksOf(key.pk);
    expect(first).toHaveLength(3);
    expect(await store.put({ ...key, value: noise(MB, 2) }, 0)).toBe(false);
    expect(await chunksOf(key.pk)).toEqual(first);
    expect(await store.put({ ...key, value: noise(MB, 3) }, 1)).toBe(true);
    const second = await chunksOf(key.pk);
    expect(second).toHaveLength(3);
    expect(second).not.toContain(first[0]);
    expect(await store.put({ ...key, value: bytes("small") }, 2)).toBe(true);
    expect(await chunksOf(key.pk)).toEqual([]);
    expect(await store.get(key)).toMatchObject({ version: 3, value: bytes("small") });
    await store.put({ ...key, value: noise(MB, 4) }, 3);
    await store.put({ ...key, sk: "neighbour", value: noise(MB, 5) }, 0);
    await store.delete([key, { ...key, sk: "none" }]);
    expect(await store.get(key)).toBeUndefined();
    expect(new Set((await chunksOf(key.pk)).map((sk) => sk.split("\u0000")[0]))).toEqual(
      new Set(["neighbour"]),
    );
  });

  it("may take the place of an expired one", async () => {
    const store = open();
    const key = { pk: freshPartition(), sk: "large" };
    await store.put({ ...key, value: noise(MB, 1), expiresAt: clock.now() + 10 }, 0);
    clock.advance(10);
    expect(await store.put({ ...key, value: bytes("late") }, 1)).toBe(false);
    expect(await store.put({ ...key, value: bytes("new") }, 0)).toBe(true);
    expect(await store.get(key)).toMatchObject({ version: 2, value: bytes("new") });
    expect(await chunksOf(key.pk)).toEqual([]);
  });

  it("is read whole while writers replace it all the time", async () => {
    const store = open();
    const key = { pk: freshPartition(), sk: "large" };
    const sizes = [MB, 500_000, 1_200_000, 10, 900_000, MB];
    await store.put({ ...key, value: noise(sizes[0]!, 1) }, 0);
    let isWriting = true;
    const readers = Array.from({ length: 3 }, async (_, i) => {
      for (let reads = 0; isWriting || reads === 0; reads++) {
        const item = i === 0 ? (await store.list(key.pk))[0] : await store.get(key);
        const { version, value } = item!;
        expect(Buffer.compare(value, noise(sizes[version - 1]!, version)), `version ${version}`).toBe(0);
      }
    });
    for (let v = 1; v < sizes.length; v++)
      expect(await store.put({ ...key, value: noise(sizes[v]!, v + 1) }, v)).toBe(true);
    isWriting = false;
    await Promise.all(readers);
  });

  it("throws instead of returning a part when a chunk is gone for good", async () => {
    const store = open();
    const key = { pk: freshPartition(), sk: "large" };
    await store.put({ ...key, value: noise(MB, 1) }, 0);
    const Key = { pk: { S: `${key.pk}\u0000chunks` }, sk: { S: (await chunksOf(key.pk))[1]! } };
    await client.send(new BatchWriteItemCommand({ RequestItems: { [table]: [{ DeleteRequest: { Key } }] } }));
    await expect(store.get(key)).rejects.toMatchObject({ code: "invariant" });
    await expect(store.get(key)).rejects.toThrow("2 of 3 chunks of version 1");
  });
});

it("says not_found where there is no table", async () => {
  const store = dynamoStore({ table: "rivulet-no-such-table", clock, client });
  const key = { pk: "a", sk: "b" };
  for (const call of [
    () => store.get(key),
    () => store.put({ ...key, value: bytes("") }, 0),
    () => store.list("a"),
    () => store.delete([key]),
  ])
    await expect(call()).rejects.toMatchObject({ code: "not_found", cause: expect.any(Error) });
});

it.skipIf(isRemote)("makes the table where there is none, and only looks at one that is there", async () => {
  const asked: string[] = [];
  const proxy = await startWire(double!.endpoint, ({ operation, forward }) => {
    asked.push(operation);
    return forward();
  });
  const wired = new DynamoDBClient(localClient(proxy.endpoint));
  await Promise.all([1, 2].map(() => createTable({ table: "rivulet-made", client: wired })));
  expect(asked).toContain("CreateTable");
  expect(asked).toContain("UpdateTimeToLive");
  asked.length = 0;
  await createTable({ table: "rivulet-made", client: wired });
  expect(new Set(asked)).toEqual(new Set(["DescribeTable"]));
  wired.destroy();
  await proxy.close();
});

describe.skipIf(isRemote)("over a wire that breaks", () => {
  const withWire = async (wire: Wire, use: (store: Store) => Promise<void>, maxAttempts = 3) => {
    const proxy = await startWire(double!.endpoint, wire);
    const wired = new DynamoDBClient({ ...localClient(proxy.endpoint), maxAttempts });
    try {
      await use(dynamoStore({ table, clock, client: wired }));
    } finally {
      wired.destroy();
      await proxy.close();
    }
  };
  const once = () => {
    let isFirst = true;
    return () => {
      const was = isFirst;
      isFirst = false;
      return was;
    };
  };

  it.each([
    { name: "small", value: bytes("mine") },
    { name: "large", value: noise(MB, 9) },
  ])("knows its own $name write again when only the answer was lost", async ({ value }) => {
    const key = { pk: freshPartition(), sk: "a" };
    const isFirst = once();
    let sent = 0;
    const wire: Wire = async ({ operation, forward }) => {
      const answer = await forward();
      if (operation !== "UpdateItem") return answer;
      sent++;
      return isFirst() ? undefined : answer;
    };
    await withWire(wire, async (store) => {
      expect(await store.put({ ...key, value }, 0)).toBe(true);
      expect(sent).toBe(2);
      const item = await store.get(key);
      expect(item?.version).toBe(1);
      expect(Buffer.compare(item!.value, value)).toBe(0);
    });
  });

  it("knows that it lost when another took the version while the request was repeated", async () => {
    const key = { pk: freshPartition(), sk: "a" };
    const isFirst = once();
    const wire: Wire = async ({ operation, forward }) => {
      if (operation !== "UpdateItem" || !isFirst()) return forward();
      await open().put({ ...key, value: bytes("theirs") }, 0);
      return undefined; // our request never arrived
    };
    await withWire(wire, async (store) => {
      expect(await store.put({ ...key, value: bytes("mine") }, 0)).toBe(false);
      expect(text(await store.get(key))).toBe("theirs");
    });
  });

  it("does not guess when its write may have been written over before the repetition", async () => {
    const key = { pk: freshPartition(), sk: "a" };
    const isFirst = once();
    const wire: Wire = async ({ operation, forward }) => {
      const answer = await forward();
      if (operation !== "UpdateItem" || !isFirst()) return answer;
      await open().put({ ...key, value: bytes("theirs") }, 1);
      return undefined;
    };
    await withWire(wire, async (store) => {
      await expect(store.put({ ...key, value: bytes("mine") }, 0)).rejects.toMatchObject({
        code: "unavailable",
      });
      expect(text(await store.get(key))).toBe("theirs");
    });
  });

  it("sends again what a batch left unprocessed", async () => {
    const pk = freshPartition();
    const keys = Array.from({ length: 30 }, (_, i) => ({ pk, sk: `k${i}` }));
    for (const key of keys) await open().put({ ...key, value: bytes(key.sk) }, 0);
    let refused = 0;
    const wire: Wire = async ({ operation, body, forward }) => {
      // Every other batch comes back untouched, as when the table is throttled.
      if (!operation.startsWith("Batch") || refused++ % 2 === 1) return forward();
      const { RequestItems } = JSON.parse(body.toString());
      const left =
        operation === "BatchGetItem" ? { UnprocessedKeys: RequestItems } : { UnprocessedItems: RequestItems };
      return { ...awsFailure(200, ""), body: Buffer.from(JSON.stringify({ Responses: {}, ...left })) };
    };
    await withWire(wire, async (store) => {
      expect((await store.getMany(keys)).map(text)).toEqual(keys.map((key) => key.sk));
      await store.delete(keys);
      expect(await store.list(pk)).toEqual([]);
      expect(refused).toBeGreaterThanOrEqual(6);
    });
  });

  it("sweeps the chunks of a writer that died before its head, once nobody can still want them", async () => {
    const key = { pk: freshPartition(), sk: "large" };
    const wire: Wire = async ({ operation, forward }) => (operation === "UpdateItem" ? undefined : forward());
    await withWire(
      wire,
      async (store) => {
        await expect(store.put({ ...key, value: noise(MB, 1) }, 0)).rejects.toMatchObject({
          code: "unavailable",
        });
      },
      1,
    );
    const orphans = await chunksOf(key.pk);
    expect(orphans).toHaveLength(3);
    await open().put({ ...key, value: noise(MB, 2) }, 0);
    expect(await chunksOf(key.pk)).toEqual(expect.arrayContaining(orphans));
    const neighbour = { pk: key.pk, sk: "large\u0000!" }; // its chunks sort into the swept range
    await open().put({ ...neighbour, value: noise(MB, 4) }, 0);
    clock.advance(60 * 60 * 1000 + 1);
    await open().put({ ...key, value: noise(MB, 3) }, 1);
    const left = await chunksOf(key.pk);
    expect(left).toHaveLength(6);
    expect((await open().get(neighbour))?.value).toHaveLength(MB);
    for (const orphan of orphans) expect(left).not.toContain(orphan);
  });

  it.each([
    {
      failure: awsFailure(400, "ProvisionedThroughputExceededException", "account 123456789012"),
      code: "throttled",
    },
    { failure: awsFailure(400, "ThrottlingException", "account 123456789012"), code: "throttled" },
    { failure: awsFailure(400, "AccessDeniedException", "account 123456789012"), code: "config" },
    { failure: awsFailure(503, "ServiceUnavailable", "account 123456789012"), code: "unavailable" },
    { failure: undefined, code: "unavailable" },
  ])("reports $code, with the cause and without AWS' text (case %#)", async ({ failure, code }) => {
    const key = { pk: "a", sk: "b" };
    await withWire(
      async () => failure,
      async (store) => {
        for (const call of [
          store.get(key),
          store.getMany([key]),
          store.list("a"),
          store.put({ ...key, value: bytes("") }, 0),
          store.delete([key]),
        ]) {
          const error = await call.then(
            () => undefined,
            (it: Error) => it,
          );
          expect(error).toMatchObject({ code, cause: expect.any(Error) });
          expect(error?.message).not.toContain("123456789012");
        }
      },
      1,
    );
  });
});
