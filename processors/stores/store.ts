/**
 * The store port: items under (pk, sk) with compare-and-set on one item, and range reads. Nothing more is needed
 * for exact counting, so anything that can do this can be a store. One conformance suite defines "correct".
 */
import type { EpochMs } from "../model/time.ts";

export interface ItemKey {
  /** Partition: items of one pk are listed together. 1 to 2,040 bytes of UTF-8. */
  readonly pk: string;
  /** Sort key: compared byte by byte as UTF-8. 1 to 990 bytes. */
  readonly sk: string;
}

export interface Item extends ItemKey {
  /** 1 for a new item, one more with every write. */
  readonly version: number;
  readonly value: Uint8Array;
  /** From this time on the item counts as absent for `get`, `getMany` and `list`; it is deleted some time later. */
  readonly expiresAt?: EpochMs;
}

export interface ListRange {
  /** sk >= from. */
  readonly from?: string;
  /** sk < to. */
  readonly to?: string;
  /** At most this many items; fewer are returned only when there are no more. Default: all. */
  readonly limit?: number;
  /** Highest sk first. */
  readonly reverse?: boolean;
}

/** All reads are consistent: they see every write that was acknowledged before they began. Outages throw `unavailable` or `throttled`. */
export interface Store {
  get(key: ItemKey): Promise<Item | undefined>;
  /** In the order of the keys; undefined where there is none. */
  getMany(keys: readonly ItemKey[]): Promise<(Item | undefined)[]>;
  /** Items of one partition in sk order. */
  list(pk: string, range?: ListRange): Promise<Item[]>;
  /**
   * Writes if the item's version is `expected` (0: if there is no such item; an expired item counts as none but its
   * version still goes up) and then resolves true; false and no effect when the version differs. Durable when it
   * resolves. A value may be several MiB; the driver splits it where the service has smaller items. After an error the
   * write may or may not have taken effect.
   */
  put(
    item: ItemKey & { readonly value: Uint8Array; readonly expiresAt?: EpochMs },
    expected: number,
  ): Promise<boolean>;
  /** Deletes whatever version there is; no error if there is none. */
  delete(keys: readonly ItemKey[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * Orders sort keys as their UTF-8 bytes do. JavaScript's `<` orders UTF-16 units, which differs in one point: surrogates
 * (U+10000 and up) must come after U+E000..U+FFFF.
 */
export function compareSortKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return byteRank(x) - byteRank(y);
  }
  return a.length - b.length;
}

const byteRank = (unit: number): number =>
  unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit;
