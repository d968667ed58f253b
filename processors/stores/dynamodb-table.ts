/** One DynamoDB table with pk and sk as plain requests: batches of any size, pages, retries of what was not processed. Knows no versions and no values. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type AttributeValue,
  BatchGetItemCommand,
  BatchWriteItemCommand,
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  QueryCommand,
  type QueryCommandInput,
  UpdateTimeToLiveCommand,
  type WriteRequest,
} from "@aws-sdk/client-dynamodb";
import { awsError, httpHandler } from "../aws.ts";
import { ClickstreamError } from "../errors.ts";
import { compareSortKeys, type ItemKey } from "./store.ts";

export type Attributes = Record<string, AttributeValue>;

export interface TableOptions {
  readonly table: string;
  readonly client?: DynamoDBClient;
  readonly endpoint?: string;
}

export interface TableRange {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly limit?: number;
  readonly reverse?: boolean;
  readonly keysOnly?: boolean;
}

// Limits of the service: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
const MAX_BATCH_GETS = 100;
const MAX_BATCH_WRITES = 25;
/** Batches of one call under way at the same time. */
const PARALLEL_BATCHES = 4;

/** What DynamoDB leaves unprocessed is sent again after 25 ms, 50 ms... up to 1.6 s, each times a random factor. */
const RETRIES = 8;
const FIRST_BACKOFF_MS = 25;
const MAX_BACKOFF_MS = 1_600;
/** The longest single wait for a new table, which takes some seconds: about two minutes in all. */
const MAX_TABLE_WAIT_MS = 40_000;

/** A client that finds region, credentials and endpoint in the usual AWS_* variables. */
export const dynamoClient = (endpoint?: string): DynamoDBClient =>
  new DynamoDBClient({ requestHandler: httpHandler(), ...(endpoint === undefined ? {} : { endpoint }) });

export function dynamoTable(options: TableOptions) {
  const { table } = options;
  const client = options.client ?? dynamoClient(options.endpoint);

  /** Sends a command and translates its errors, but for those the caller `expects`. */
  const send: DynamoSend = (command, expects) =>
    client.send(command as never).catch((error: unknown) => {
      if (expects?.(error)) throw error;
      // A bundle may have shortened the class's name to nothing that helps.
      const operation = /^(\w+)Command$/.exec(command.constructor.name)?.[1] ?? "request";
      throw awsError(`DynamoDB ${operation} on table "${table}"`, error);
    }) as never;

  const backOff = async (attempt: number, left: number): Promise<void> => {
    if (attempt === RETRIES)
      throw new ClickstreamError(
        "throttled",
        `DynamoDB table "${table}": ${left} requests of a batch not processed`,
      );
    await sleep(Math.min(FIRST_BACKOFF_MS * 2 ** attempt, MAX_BACKOFF_MS) * Math.random());
  };

  const getBatch = async (keys: readonly ItemKey[], into: Map<string, Attributes>): Promise<void> => {
    let Keys: Attributes[] = keys.map(({ pk, sk }) => ({ pk: { S: pk }, sk: { S: sk } }));
    for (let attempt = 0; ; attempt++) {
      const answer = await send(
        new BatchGetItemCommand({ RequestItems: { [table]: { Keys, ConsistentRead: true } } }),
      );
      const found = answer.Responses?.[table] ?? [];
      for (const item of found) into.set(keyText({ pk: item.pk!.S!, sk: item.sk!.S! }), item);
      Keys = answer.UnprocessedKeys?.[table]?.Keys ?? [];
      if (Keys.length === 0) return;
      // A page that was merely full (16 MB) made progress; only standing still is throttling.
      if (found.length > 0) attempt = -1;
      else await backOff(attempt, Keys.length);
    }
  };

  const writeBatch = async (requests: WriteRequest[]): Promise<void> => {
    let left = requests;
    for (let attempt = 0; ; attempt++) {
      const answer = await send(new BatchWriteItemCommand({ RequestItems: { [table]: left } }));
      left = answer.UnprocessedItems?.[table] ?? [];
      if (left.length === 0) return;
      await backOff(attempt, left.length);
    }
  };

  const writeMany = (requests: readonly WriteRequest[]): Promise<void> =>
    inParallel(batches(requests, MAX_BATCH_WRITES), writeBatch);

  return {
    send,
    writeMany,
    /** In the order of the keys, which may repeat. */
    async getMany(keys: readonly ItemKey[]): Promise<(Attributes | undefined)[]> {
      const found = new Map<string, Attributes>();
      // The service refuses a batch that names a key twice.
      const wanted = [...new Map(keys.map((key) => [keyText(key), key])).values()];
      await inParallel(batches(wanted, MAX_BATCH_GETS), (batch) => getBatch(batch, found));
      return keys.map((key) => found.get(keyText(key)));
    },
    deleteMany(keys: readonly ItemKey[]): Promise<void> {
      const wanted = [...new Map(keys.map((key) => [keyText(key), key])).values()];
      return writeMany(
        wanted.map(({ pk, sk }) => ({ DeleteRequest: { Key: { pk: { S: pk }, sk: { S: sk } } } })),
      );
    },
    /** Items of one partition with from <= sk < to, page by page as they are asked for; `limit` only sizes the pages. */
    async *query(pk: string, range: TableRange): AsyncGenerator<Attributes> {
      const { to, limit = Number.POSITIVE_INFINITY, reverse = false, keysOnly = false } = range;
      const from = range.from === "" ? undefined : range.from; // an empty key value is refused, and means no bound
      if (to === "" || limit <= 0) return;
      if (from !== undefined && to !== undefined && compareSortKeys(from, to) >= 0) return;
      const input: QueryCommandInput = {
        TableName: table,
        ...keyCondition(pk, from, to),
        ConsistentRead: true,
        ScanIndexForward: !reverse,
        ...(keysOnly ? { ProjectionExpression: "pk, sk" } : {}),
        // One more, because BETWEEN includes the upper bound.
        ...(Number.isFinite(limit) ? { Limit: limit + 1 } : {}),
      };
      let ExclusiveStartKey: Attributes | undefined;
      do {
        const page = await send(
          new QueryCommand({ ...input, ...(ExclusiveStartKey && { ExclusiveStartKey }) }),
        );
        for (const item of page.Items ?? []) {
          if (to === undefined || compareSortKeys(item.sk!.S!, to) < 0) yield item;
        }
        ExclusiveStartKey = page.LastEvaluatedKey;
      } while (ExclusiveStartKey !== undefined);
    },
    close(): void {
      if (options.client === undefined) client.destroy();
    },
  };
}

/** The client's `send`, once for each command. */
type DynamoSend = <Input extends object, Output>(
  command: {
    readonly input: Input;
    resolveMiddleware(...args: never[]): (...args: never[]) => Promise<{ output: Output }>;
  },
  expects?: (error: unknown) => boolean,
) => Promise<Output>;

/**
 * Makes the table that `dynamoStore` needs, billed by request, with deletion of expired items; returns when it is usable.
 * A table that is there is only waited for, never changed: it belongs to whoever deployed it.
 */
export async function createTable(options: TableOptions): Promise<void> {
  const TableName = options.table;
  const client = options.client ?? dynamoClient(options.endpoint);
  const unless =
    (operation: string, ...names: string[]) =>
    (error: unknown) => {
      if (names.includes((error as Error).name)) return undefined;
      throw awsError(`DynamoDB ${operation} on table "${TableName}"`, error);
    };
  const status = async () => {
    const answer = await client
      .send(new DescribeTableCommand({ TableName }))
      .catch(unless("DescribeTable", "ResourceNotFoundException"));
    return answer?.Table?.TableStatus;
  };
  const untilActive = async () => {
    for (let waitMs = 5; (await status()) !== "ACTIVE"; waitMs *= 1.5) {
      if (waitMs > MAX_TABLE_WAIT_MS)
        throw new ClickstreamError("unavailable", `DynamoDB table "${TableName}" does not become active`);
      await sleep(waitMs);
    }
  };
  try {
    if ((await status()) !== undefined) return await untilActive();
    await client
      .send(
        new CreateTableCommand({
          TableName,
          BillingMode: "PAY_PER_REQUEST",
          AttributeDefinitions: [
            { AttributeName: "pk", AttributeType: "S" },
            { AttributeName: "sk", AttributeType: "S" },
          ],
          KeySchema: [
            { AttributeName: "pk", KeyType: "HASH" },
            { AttributeName: "sk", KeyType: "RANGE" },
          ],
        }),
      )
      .catch(unless("CreateTable", "ResourceInUseException")); // two processes started at once
    await untilActive();
    await client
      .send(
        new UpdateTimeToLiveCommand({
          TableName,
          TimeToLiveSpecification: { AttributeName: "exp", Enabled: true },
        }),
      )
      // Local doubles have no such thing; the other process may have been first.
      .catch(unless("UpdateTimeToLive", "UnknownOperationException", "ValidationException"));
  } finally {
    if (options.client === undefined) client.destroy();
  }
}

/** At most from <= sk <= to: a key condition cannot say half-open, so the caller leaves out `to` itself. */
function keyCondition(pk: string, from: string | undefined, to: string | undefined) {
  // Where the two orders differ, dynalite takes the bounds of BETWEEN by their UTF-16 units and refuses them.
  const isRange = from !== undefined && to !== undefined && from < to;
  const values: Attributes = { ":pk": { S: pk } };
  let condition = "";
  if (isRange) condition = " AND sk BETWEEN :from AND :to";
  else if (from !== undefined) condition = " AND sk >= :from";
  else if (to !== undefined) condition = " AND sk < :to";
  if (from !== undefined) values[":from"] = { S: from };
  if (to !== undefined && (isRange || from === undefined)) values[":to"] = { S: to };
  return { KeyConditionExpression: `pk = :pk${condition}`, ExpressionAttributeValues: values };
}

const keyText = ({ pk, sk }: ItemKey): string => JSON.stringify([pk, sk]);

const batches = <T>(all: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));

async function inParallel<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const rest = all.values(); // shared: each worker takes the next
  await Promise.all(
    Array.from({ length: Math.min(PARALLEL_BATCHES, all.length) }, async () => {
      for (const one of rest) await work(one);
    }),
  );
}
