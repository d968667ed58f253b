/** Counts what a store's operations would be billed as by DynamoDB, while another store does the work. */
import { pack } from "../../../processors/stores/packing.ts";
import type { Item, ItemKey, Store } from "../../../processors/stores/store.ts";

export interface StoreUnits {
  /** Writes of up to 1 KB. */
  writes: number;
  /** Consistent reads of up to 4 KB. */
  reads: number;
  /** Requests: each is a wait. */
  requests: number;
}

export const noUnits = (): StoreUnits => ({ writes: 0, reads: 0, requests: 0 });

const WRITE_BYTES = 1_024;
const READ_BYTES = 4_096;
/** What the driver splits values at; see processors/stores/dynamodb.ts. */
const CHUNK_BYTES = 380 * 1_024;
/** Attribute names, version, token, and expiry where there is one, as the layout of the DynamoDB driver has them. */
const OVERHEAD = 38;
const EXPIRY = 22;

const length = (text: string): number => Buffer.byteLength(text);

/** Bytes of an item in the table, the value packed as the driver packs it. */
const itemBytes = (key: ItemKey, value: Uint8Array, expires: boolean): number =>
  length(key.pk) + length(key.sk) + pack(value).length + OVERHEAD + (expires ? EXPIRY : 0);

const units = (bytes: number, size: number): number => Math.max(1, Math.ceil(bytes / size));

/**
 * Units by DynamoDB's rules: a write costs its item's size in KB, whether or not its condition holds; a read of one item
 * rounds up to 4 KB, a query rounds up the sum of its items.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
 */
export function meteredStore(store: Store, meter: StoreUnits): Store {
  const bytesOf = (item: Item): number => itemBytes(item, item.value, item.expiresAt !== undefined);
  return {
    async get(key) {
      const item = await store.get(key);
      meter.requests += 1;
      meter.reads += item ? units(bytesOf(item), READ_BYTES) : 1;
      return item;
    },
    async getMany(keys) {
      const items = await store.getMany(keys);
      meter.requests += Math.ceil(keys.length / 100);
      for (const item of items) meter.reads += item ? units(bytesOf(item), READ_BYTES) : 1;
      return items;
    },
    async list(pk, range) {
      const items = await store.list(pk, range);
      const bytes = items.reduce((sum, item) => sum + bytesOf(item), 0);
      meter.requests += units(bytes, 2 ** 20);
      meter.reads += units(bytes, READ_BYTES);
      return items;
    },
    async put(item, expected) {
      const bytes = itemBytes(item, item.value, item.expiresAt !== undefined);
      const chunks = bytes > CHUNK_BYTES ? Math.ceil(bytes / CHUNK_BYTES) : 0;
      meter.requests += 1 + chunks;
      meter.writes += chunks === 0 ? units(bytes, WRITE_BYTES) : units(bytes, WRITE_BYTES) + 1;
      return store.put(item, expected);
    },
    async delete(keys) {
      // Before deleting, the driver asks once whether any of them has chunks.
      const items = await store.getMany(keys);
      meter.requests += 1 + Math.ceil(keys.length / 25);
      meter.reads += 1;
      for (const item of items) meter.writes += item ? units(bytesOf(item), WRITE_BYTES) : 1;
      await store.delete(keys);
    },
    close: () => store.close(),
  };
}
