/**
 * Folding into the items of minutes and hours, each under its version. A window's rows that fall into "(other)" are put
 * aside one by one, in its rest: an item that no reader reads. Whoever folds into the window again takes them back first,
 * so the rows that stand alone are the most visited of all that was ever counted there, in whatever order it came.
 */

import type { RowLimits } from "../model/bounds.ts";
import { putAside, takeBack, trim } from "../model/overflow.ts";
import { Rollup } from "../model/rollup.ts";
import { DAY_MS, type EpochMs } from "../model/time.ts";
import { ByteReader, ByteWriter } from "../sketches/bytes.ts";
import type { Item, ItemKey, Store } from "../stores/store.ts";
import { changeItem, conflicting, MAX_CONFLICTS } from "./change.ts";
import { hash53 } from "./hash.ts";
import { decodeItem, encodeItem, packed, type RollupItem } from "./rollups.ts";

// A rest is put before the item that names it, and lies under a hash of its content. So an item never names the rest of
// another version: whoever dies in between leaves one that nobody names, and the item still names its own. Where there is
// none any more, "(other)" has the sum of it, and folding goes on without.

/** What one commit adds to one window. */
export interface Contribution {
  readonly shard: string;
  readonly n: number;
  readonly rollup: Rollup;
}

/** What commits add to one span of time, which may lie in several windows: in a minute and its hour. */
export class Bundle {
  readonly parts: Contribution[];
  #sum: Promise<Rollup> | undefined;

  constructor(...parts: Contribution[]) {
    this.parts = parts;
  }

  /** All of it, added up once for all windows. Never change it. */
  sum(pause: Pause | undefined): Promise<Rollup> {
    this.#sum ??= addUp(this.parts, pause);
    return this.#sum;
  }
}

/** Gives others their turn. */
export type Pause = () => Promise<unknown>;

async function addUp(parts: readonly Contribution[], pause: Pause | undefined): Promise<Rollup> {
  if (parts.length === 1) return parts[0]!.rollup;
  const sum = new Rollup();
  for (const { rollup } of parts) await addTo(sum, rollup, pause);
  return sum;
}

async function addTo(sum: Rollup, rollup: Rollup, pause: Pause | undefined): Promise<void> {
  sum.merge(rollup);
  trim(sum);
  await pause?.();
}

/** How a window is written. */
export interface FoldTerms {
  readonly now: EpochMs;
  readonly expiresAt?: EpochMs | undefined;
  /** Called now and then: merging the share of one busy commit takes some milliseconds. */
  readonly pause?: Pause | undefined;
  /** Default: those of every window. */
  readonly limits?: RowLimits;
}

/**
 * Folds contributions into an item under its version; those it has already are skipped. `through` says up to which
 * commit of each shard they are all there are for this window. False when nothing was new.
 */
export const foldInto = (
  store: Store,
  key: ItemKey,
  bundles: readonly Bundle[],
  through: ReadonlyMap<string, number>,
  terms: FoldTerms,
): Promise<boolean> =>
  changeWindow(store, key, terms, async ({ whole = new Rollup(), applied, isBased }) => {
    const { pause, limits } = terms;
    const shards = new Set<string>();
    for (const bundle of bundles) {
      const fresh = bundle.parts.filter(({ shard, n }) => n > (applied.get(shard) ?? 0));
      for (const { shard } of fresh) shards.add(shard);
      // Some are in already where a compaction was interrupted.
      if (fresh.length < bundle.parts.length)
        for (const part of fresh) await addTo(whole, part.rollup, pause);
      else await addTo(whole, await bundle.sum(pause), pause);
    }
    if (shards.size === 0) return undefined;
    const newest = new Map(applied);
    for (const shard of shards) newest.set(shard, Math.max(newest.get(shard) ?? 0, through.get(shard) ?? 0));
    return { applied: newest, isBased, window: packWindow(whole, limits) };
  });

/**
 * Adds what a rebuild found for a window, as `packWindow` packed it, to the item of a new edition, beside the commits that
 * are folded into it meanwhile; once, however often it is called.
 */
export const foldBase = (store: Store, key: ItemKey, base: Uint8Array, terms: FoldTerms): Promise<boolean> =>
  changeWindow(store, key, terms, async ({ whole, applied, isBased }) => {
    if (isBased) return undefined;
    // In nearly all windows nothing was counted meanwhile.
    if (!whole) return { applied, isBased: true, window: base };
    const { rollup, rest } = unpackWindow(base);
    const found = Rollup.decode(rollup);
    if (rest) takeBack(found, Rollup.decode(rest));
    whole.merge(found);
    return { applied, isBased: true, window: packWindow(whole, terms.limits) };
  });

/** A window as it will be stored, its rest behind it. Takes the rest out of `whole`. */
export function packWindow(whole: Rollup, limits?: RowLimits): Uint8Array<ArrayBuffer> {
  const rest = putAside(whole, limits);
  const writer = new ByteWriter(4096);
  writer.block(packed(whole));
  if (rest) writer.bytes(packed(rest));
  return writer.finish();
}

function unpackWindow(bytes: Uint8Array): { readonly rollup: Uint8Array; readonly rest?: Uint8Array } {
  const reader = new ByteReader(bytes);
  const rollup = reader.block();
  return reader.done ? { rollup } : { rollup, rest: bytes.subarray(reader.position) };
}

/** Longer than an ordinary event can come late: what comes later for a window comes by an import. */
const REST_KEEP_MS = 8 * DAY_MS;

/** What an item says besides its rollup. */
type About = Pick<RollupItem, "applied" | "isBased">;

/** Reads a window with its rest, has it changed and writes it under its version; again where somebody else was faster. */
async function changeWindow(
  store: Store,
  key: ItemKey,
  { now, expiresAt }: FoldTerms,
  change: (
    before: About & { readonly whole?: Rollup | undefined },
  ) => Promise<(About & { readonly window: Uint8Array }) | undefined>,
): Promise<boolean> {
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    const { item, known, rest } = await readWindow(store, key);
    if (rest && known?.rollup) takeBack(known.rollup, Rollup.decode(rest.value));
    const after = await change({
      whole: known?.rollup,
      applied: known?.applied ?? new Map(),
      isBased: known?.isBased === true,
    });
    if (!after) return false;
    const { rollup, rest: aside } = unpackWindow(after.window);
    const until = Math.min(now + REST_KEEP_MS, expiresAt ?? Number.POSITIVE_INFINITY);
    const name = aside && (await putRest(store, key, aside, until, rest && known?.rest));
    const value = encodeItem(after.applied, rollup, { isBased: after.isBased, rest: name });
    if (!(await store.put({ ...key, value, ...expiry(expiresAt) }, item?.version ?? 0))) continue;
    if (rest && known?.rest !== name) await store.delete([rest]);
    return true;
  }
  throw conflicting(`${key.pk} ${key.sk}`);
}

/**
 * Puts a window of the current edition into another as it is. Commits reach the current edition first, so what is read
 * of it after the other holds everything that the other holds.
 */
export async function copyItem(store: Store, from: string, to: string, sk: string): Promise<void> {
  const key = { pk: to, sk };
  await changeItem(store, key, async (target) => {
    if (target && decodeItem(target).isBased) return undefined;
    const { item: source, known, rest } = await readWindow(store, { pk: from, sk });
    if (!source || !known) return undefined;
    const name = rest && (await putRest(store, key, rest.value, rest.expiresAt));
    const value = encodeItem(known.applied, known.rollup, { isBased: true, rest: name });
    return { value, ...expiry(source.expiresAt) };
  });
}

const expiry = (expiresAt: EpochMs | undefined) => (expiresAt === undefined ? {} : { expiresAt });

/** `hour/example.com` has its rests in `hour-rests/example.com`. */
const restKey = ({ pk, sk }: ItemKey, name: string): ItemKey => ({
  pk: pk.replace("/", "-rests/"),
  sk: `${sk} ${name}`,
});

/** The rollup of a minute or hour, and that of what was put aside of it; none where there is none. */
export async function rollupsIn(store: Store, key: ItemKey): Promise<Rollup[]> {
  const { known, rest } = await readWindow(store, key);
  return [...(known?.rollup ? [known.rollup] : []), ...(rest ? [Rollup.decode(rest.value)] : [])];
}

/** An item with its rest, if that is there. */
async function readWindow(
  store: Store,
  key: ItemKey,
): Promise<{ readonly item?: Item; readonly known?: RollupItem; readonly rest?: Item }> {
  for (;;) {
    const item = await store.get(key);
    if (!item) return {};
    const known = decodeItem(item);
    if (known.rest === undefined) return { item, known };
    const rest = await store.get(restKey(key, known.rest));
    if (rest) return { item, known, rest };
    // Either it is over, or somebody replaced both after the item was read.
    if ((await store.get(key))?.version === item.version) return { item, known };
  }
}

/** Puts a rest, unless it is the one that `held` names, and answers its name. One of that name is the same one. */
async function putRest(
  store: Store,
  key: ItemKey,
  value: Uint8Array,
  expiresAt: EpochMs | undefined,
  held?: string,
): Promise<string> {
  const name = hash53(Buffer.from(value).toString("latin1")).toString(36);
  if (name !== held) await store.put({ ...restKey(key, name), value, ...expiry(expiresAt) }, 0);
  return name;
}
