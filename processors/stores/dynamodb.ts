/** The store on one Amazon DynamoDB table: consistent reads, compare-and-set by conditional writes. Knows nothing of what the values mean. */
import { randomBytes } from "node:crypto";
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  UpdateItemCommand,
} from "@aws-sdk/client-dynamodb";
import type { SdkError } from "../aws.ts";
import { ClickstreamError } from "../errors.ts";
import { type Clock, DAY_MS, type EpochMs, HOUR_MS } from "../model/time.ts";
import {
  assignments,
  CHUNK_SUFFIX,
  type Chunks,
  chunkKeys,
  chunkPartition,
  generationTime,
  type Head,
  type HeadWrite,
  NAMES,
  seconds,
  toHead,
  toItem,
} from "./dynamodb-layout.ts";
import { type Attributes, dynamoTable } from "./dynamodb-table.ts";
import { checkKey } from "./keys.ts";
import { pack } from "./packing.ts";
import { compareSortKeys, type Item, type ItemKey, type Store } from "./store.ts";

/** DynamoDB takes 400 KB for an item with its names and keys; this leaves 20 KB for those. */
const CHUNK_BYTES = 380 * 1024;
/** After this long an unfinished generation of chunks belongs to nobody; a writer gives up well before. */
const ORPHAN_MS = HOUR_MS;
const MAX_WRITE_MS = ORPHAN_MS / 2;
/** Chunks outlive the head that lists them. */
const CHUNK_GRACE_MS = DAY_MS;
/** How often a reader looks again for chunks that a writer replaced under its eyes. */
const MAX_READ_ROUNDS = 6;

export interface DynamoStoreOptions {
  /** Name of an existing table, as `createTable` makes it. */
  readonly table: string;
  readonly clock: Clock;
  /** Default: one made from the usual AWS_* variables. A client that is given is not closed. */
  readonly client?: DynamoDBClient;
  /** Instead of the AWS endpoint of the region. Ignored with `client`. */
  readonly endpoint?: string;
}

/**
 * Opens the table; nothing is sent before the first call.
 * Throws `throttled`, `unavailable`, `not_found` (table) or `config` (credentials, permissions).
 */
export function dynamoStore({ table: name, clock, client, endpoint }: DynamoStoreOptions): Store {
  const table = dynamoTable({ table: name, client, endpoint });
  const isLive = (head: Head): boolean => head.expiresAt === undefined || head.expiresAt > clock.now();

  const readHead = async (key: ItemKey): Promise<Head | undefined> => {
    const Key = { pk: { S: key.pk }, sk: { S: key.sk } };
    const { Item } = await table.send(new GetItemCommand({ TableName: name, Key, ConsistentRead: true }));
    return Item && toHead(Item);
  };

  /** Items for heads, with values put together from chunks; undefined for those that expired or were deleted meanwhile. */
  const complete = async (heads: readonly (Head | undefined)[]): Promise<(Item | undefined)[]> => {
    const items: (Item | undefined)[] = heads.map((head) =>
      head?.packed && isLive(head) ? toItem(head) : undefined,
    );
    let open = heads.flatMap((head, at) => (head?.chunks && isLive(head) ? [{ at, head, seen: "" }] : []));
    for (let round = 0; open.length > 0; round++) {
      const chunks = await table.getMany(open.flatMap(({ head }) => chunkKeys(head, head.chunks!)));
      const next: typeof open = [];
      let from = 0;
      for (const { at, head, seen } of open) {
        const mine = chunks.slice(from, from + head.chunks!.n).map((chunk) => chunk?.val?.B);
        from += head.chunks!.n;
        if (mine.every((part) => part !== undefined)) {
          items[at] = toItem({ ...head, packed: concat(mine) });
          continue;
        }
        // A writer replaced this generation after we read its head, or the head is damaged: the head tells which.
        if (seen === head.token || round === MAX_READ_ROUNDS)
          throw new ClickstreamError(
            seen === head.token ? "invariant" : "unavailable",
            `DynamoDB table "${name}", item ${JSON.stringify([head.pk, head.sk])}: ${mine.filter(Boolean).length} of ${head.chunks!.n} chunks of version ${head.version} are there`,
          );
        const again = await readHead(head);
        if (again === undefined || !isLive(again)) continue;
        if (again.chunks) next.push({ at, head: again, seen: head.token });
        else items[at] = toItem(again);
      }
      open = next;
    }
    return items;
  };

  const writeHead = async (write: HeadWrite, condition: Condition): Promise<Attempt> => {
    const { set, remove, values } = assignments(write);
    try {
      await table.send(
        new UpdateItemCommand({
          TableName: name,
          Key: { pk: { S: write.pk }, sk: { S: write.sk } },
          // One request writes and counts the version up, also over an expired item whose version we do not know.
          UpdateExpression: `SET ${set.join()} REMOVE ${remove.join()} ADD #ver :one`,
          ConditionExpression: condition.expression,
          ExpressionAttributeNames: NAMES,
          ExpressionAttributeValues: { ...values, ...condition.values, ":one": { N: "1" } },
          ReturnValuesOnConditionCheckFailure: "ALL_OLD",
        }),
        (error) => error instanceof ConditionalCheckFailedException,
      );
      return { written: true };
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
      // Local doubles do not send the item along.
      const present = error.Item ? toHead(error.Item) : await readHead(write);
      return { written: false, present, requests: (error as SdkError).$metadata?.attempts ?? 1 };
    }
  };

  /** The write itself; `replaced` are the chunks of the version that it took the place of. */
  const compareAndSet = async (
    write: HeadWrite,
    expected: number,
  ): Promise<{ won: boolean; replaced?: Head }> => {
    const now = { ":now": { N: String(clock.now()) } };
    const plain: Condition =
      expected === 0
        ? {
            expression: "attribute_not_exists(pk) OR (#xms <= :now AND attribute_not_exists(#gen))",
            values: now,
          }
        : {
            expression:
              "#ver = :ver AND (attribute_not_exists(#xms) OR #xms > :now) AND attribute_not_exists(#gen)",
            values: { ...now, ":ver": { N: String(expected) } },
          };
    let attempt = await writeHead(write, plain);
    if (attempt.written) return { won: true };
    const { present } = attempt;
    const isExpected = present !== undefined && (isLive(present) ? present.version : 0) === expected;
    if (isExpected && present.chunks) {
      // Right, but made of chunks: written over knowingly, so that its chunks can be deleted.
      const same: Condition = {
        expression: "#ver = :ver AND #tok = :old",
        values: { ":ver": { N: String(present.version) }, ":old": { S: present.token } },
      };
      attempt = await writeHead(write, same);
      if (attempt.written || attempt.present?.token === write.token) return { won: true, replaced: present };
    }
    return { won: isOurs(write, expected, attempt) };
  };

  /**
   * Decides a failed condition. The SDK repeats a request whose answer was lost, and the repetition fails on what the first
   * one wrote. With one request there is no such doubt; with more, our token tells. If somebody has since written over
   * the version that may have been ours, nobody can tell: then it is an outage, as the port allows.
   */
  const isOurs = (write: HeadWrite, expected: number, { present, requests }: Lost): boolean => {
    if (requests === 1) return false;
    if (present?.token === write.token) return true;
    // Somebody else's write is the one that follows `expected`, or none does: so ours never was.
    if (present !== undefined && present.version <= expected + 1) return false;
    throw new ClickstreamError(
      "unavailable",
      `DynamoDB table "${name}": an answer to a write of version ${expected + 1} was lost, and version ${present?.version ?? 0} is there now`,
    );
  };

  const writeChunks = async (
    key: ItemKey,
    packed: Uint8Array,
    expiresAt: EpochMs | undefined,
  ): Promise<Chunks> => {
    const gen = `${generationTime(clock.now())}${randomBytes(9).toString("base64url")}`;
    const chunks = { gen, n: Math.ceil(packed.length / CHUNK_BYTES) };
    const exp: Attributes =
      expiresAt === undefined ? {} : { exp: { N: seconds(expiresAt + CHUNK_GRACE_MS) } };
    const items = chunkKeys(key, chunks).map(({ pk, sk }, i) => ({
      pk: { S: pk },
      sk: { S: sk },
      val: { B: packed.subarray(i * CHUNK_BYTES, (i + 1) * CHUNK_BYTES) },
      ...exp,
    }));
    await table.writeMany(items.map((Item) => ({ PutRequest: { Item } })));
    return chunks;
  };
  const deleteChunks = (key: ItemKey, chunks: Chunks): Promise<void> =>
    table.deleteMany(chunkKeys(key, chunks));
  /** Generations that a writer left behind when it died between its chunks and its head. */
  const deleteOrphans = async (item: ItemKey): Promise<void> => {
    const pk = chunkPartition(item.pk);
    const [from, to] = [`${item.sk}\u0000`, `${item.sk}\u0000${generationTime(clock.now() - ORPHAN_MS)}`];
    const orphans: ItemKey[] = [];
    for await (const found of table.query(pk, { from, to, keysOnly: true })) {
      const sk = found.sk!.S!;
      // Longer ones are chunks of an item whose own sort key goes on behind a zero.
      if (sk.length === item.sk.length + CHUNK_SUFFIX) orphans.push({ pk, sk });
    }
    await table.deleteMany(orphans);
  };

  return {
    get: async (key) => (await complete([await readHead(key)]))[0],

    getMany: async (keys) => complete((await table.getMany(keys)).map((found) => found && toHead(found))),

    async list(pk, { from, to, limit = Number.POSITIVE_INFINITY, reverse = false } = {}) {
      const items: Item[] = [];
      let heads: Head[] = [];
      const take = async () => {
        for (const item of await complete(heads)) if (item && items.length < limit) items.push(item);
        heads = [];
      };
      for await (const found of table.query(pk, { from, to, limit, reverse })) {
        const head = toHead(found);
        if (!isLive(head)) continue;
        heads.push(head);
        if (items.length + heads.length >= limit) await take();
        if (items.length >= limit) return items;
      }
      await take();
      return items;
    },

    async put({ pk, sk, value, expiresAt }, expected) {
      checkKey({ pk, sk });
      const startedAt = clock.now();
      const packed = pack(value);
      const token = randomBytes(12).toString("base64url");
      const isLarge = packed.length > CHUNK_BYTES;
      const chunks = isLarge ? await writeChunks({ pk, sk }, packed, expiresAt) : undefined;
      if (clock.now() - startedAt > MAX_WRITE_MS)
        throw new ClickstreamError(
          "unavailable",
          `DynamoDB table "${name}": writing ${chunks?.n} chunks took too long`,
        );
      const write: HeadWrite = { pk, sk, token, expiresAt, packed: isLarge ? undefined : packed, chunks };
      const { won, replaced } = await compareAndSet(write, expected);
      // What nobody lists any more goes away; a failure here must not undo the answer, and the next large put tries again.
      const cleanUp: Promise<void>[] = [];
      if (!won && chunks) cleanUp.push(deleteChunks(write, chunks));
      if (won && replaced?.chunks) cleanUp.push(deleteChunks(replaced, replaced.chunks));
      if (won && chunks) cleanUp.push(deleteOrphans(write));
      await Promise.allSettled(cleanUp);
      return won;
    },

    async delete(keys) {
      const partitions = Map.groupBy(keys, (key) => key.pk);
      for (const [pk, mine] of partitions) {
        const withChunks = await chunkedKeys(pk, mine);
        await table.deleteMany(mine.filter((key) => !withChunks.has(key.sk)));
        for (const sk of withChunks) {
          // Only the deleted item itself says for certain which chunks were its own, and not a concurrent writer's.
          const Key = { pk: { S: pk }, sk: { S: sk } };
          const { Attributes } = await table.send(
            new DeleteItemCommand({ TableName: name, Key, ReturnValues: "ALL_OLD" }),
          );
          const gone = Attributes && toHead(Attributes);
          if (gone?.chunks) await deleteChunks(gone, gone.chunks);
        }
      }
    },

    async close() {
      table.close();
    },
  };

  /** Those of the keys that have chunks; mostly none, which is one cheap request instead of reading every item. */
  async function chunkedKeys(pk: string, keys: readonly ItemKey[]): Promise<Set<string>> {
    const wanted = new Set(keys.map((key) => key.sk));
    const sorted = [...wanted].toSorted(compareSortKeys);
    const range = { from: `${sorted[0]}\u0000`, to: `${sorted.at(-1)}\u0001`, keysOnly: true };
    const found = new Set<string>();
    for await (const { sk } of table.query(chunkPartition(pk), range))
      found.add(sk!.S!.slice(0, -CHUNK_SUFFIX));
    return found.intersection(wanted);
  }
}

interface Condition {
  readonly expression: string;
  readonly values: Attributes;
}
interface Lost {
  readonly written: false;
  /** What is there instead. */
  readonly present: Head | undefined;
  /** How many times the SDK sent the request. */
  readonly requests: number;
}
type Attempt = { readonly written: true } | Lost;

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
