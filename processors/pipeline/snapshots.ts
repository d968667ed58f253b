/**
 * Snapshots of a shard's state, so that a cold worker need not read the log from its beginning. Most hold only what has
 * changed since the one before: a day of visitors is remembered, and writing all of them again every few minutes would
 * cost many times what counting does.
 */
import { invariant } from "../errors.ts";
import { DAY_MS, type EpochMs } from "../model/time.ts";
import type { Store } from "../stores/store.ts";
import { readLog, slot } from "./commit.ts";
import { ShardState } from "./state.ts";
import { applySnapshot, baseOf, encodeSnapshot } from "./statebytes.ts";

/*
 * A snapshot is whole, or a part that goes on from an earlier one, its base. The newest, its base, the base of that and
 * so on, down to a whole one, are the chain that makes the state. A worker deletes only what is older than the chain that
 * it found, and not before it has written twice: a part whose base is gone cannot be. Two workers that both write give
 * two chains, each of them right.
 */

const snapshotKey = (shard: string): string => `state/${shard}`;

/** A whole one is due when so much time has passed in the shard, so that visitors of the day before are in none. */
const MAX_CHAIN_MS = DAY_MS;

/** How far a snapshot goes: what has come later belongs to the next. */
type Reach = Pick<ShardState, "n" | "ordinal" | "idOrdinal"> & { readonly pastOrdinal: number };

const reachOf = ({ n, ordinal, idOrdinal, past }: ShardState): Reach => ({
  n,
  ordinal,
  idOrdinal,
  pastOrdinal: past.ordinal,
});

/** The snapshots of one shard as its worker knows them. */
export class Snapshots {
  readonly #store: Store;
  readonly #pk: string;
  /** Sort keys of the chain, the whole one first. */
  #chain: string[] = [];
  /** Those of before it. */
  #older: string[] = [];
  #newest: Reach | undefined;
  #wholeBytes = 0;
  #wholeUntil: EpochMs = 0;
  #partBytes = 0;

  constructor(store: Store, shard: string) {
    this.#store = store;
    this.#pk = snapshotKey(shard);
  }

  /** The commit that the newest one includes; 0 when there is none. */
  get n(): number {
    return this.#newest?.n ?? 0;
  }

  /** All of the newest chain's snapshots together. */
  get bytes(): number {
    return this.#wholeBytes + this.#partBytes;
  }

  /** Reads the state as of the newest snapshot; empty when there is none. */
  async load(): Promise<ShardState> {
    const items = await this.#store.list(this.#pk);
    const state = new ShardState();
    const byKey = new Map(items.map((item) => [item.sk, item]));
    const chain: string[] = [];
    for (let sk = items.at(-1)?.sk; sk !== undefined; ) {
      const item = byKey.get(sk);
      invariant(item !== undefined, () => `${this.#pk}: ${chain[0]} goes on from ${sk}, which is gone`);
      chain.unshift(sk);
      const base = baseOf(item.value);
      sk = base === undefined ? undefined : slot(base);
    }
    for (const [i, sk] of chain.entries()) {
      const { value } = byKey.get(sk)!;
      applySnapshot(state, value);
      this.#note(state, value.length, i === 0);
    }
    this.#chain = chain;
    this.#older = items.map(({ sk }) => sk).filter((sk) => sk < (chain[0] ?? ""));
    return state;
  }

  /** Keeps the state, which has to have gone on from what was loaded or written last. */
  async write(state: ShardState): Promise<void> {
    const base = this.#newest;
    if (base?.n === state.n) return;
    const isWhole =
      base === undefined ||
      this.#partBytes >= this.#wholeBytes ||
      state.watermark - this.#wholeUntil >= MAX_CHAIN_MS;
    const value = encodeSnapshot(state, isWhole ? undefined : base);
    const sk = slot(state.n);
    // Somebody else's of the same commit says the same. The next goes on from what is known here.
    if (!(await this.#store.put({ pk: this.#pk, sk, value }, 0))) return;
    this.#note(state, value.length, isWhole);
    const gone = this.#older;
    this.#older = isWhole ? this.#chain : [];
    this.#chain = isWhole ? [sk] : [...this.#chain, sk];
    await this.#store.delete(gone.map((sk) => ({ pk: this.#pk, sk })));
  }

  #note(state: ShardState, bytes: number, isWhole: boolean): void {
    this.#newest = reachOf(state);
    if (!isWhole) {
      this.#partBytes += bytes;
      return;
    }
    this.#wholeBytes = bytes;
    this.#wholeUntil = state.watermark;
    this.#partBytes = 0;
  }
}

/** Number of the commit that the newest snapshot includes; undefined when there is none. */
export async function newestSnapshot(store: Store, shard: string): Promise<number | undefined> {
  const [item] = await store.list(snapshotKey(shard), { reverse: true, limit: 1 });
  return item ? Number(item.sk) : undefined;
}

/** A shard's state as of its newest commit, what it was read from, and how many bytes of log that took. */
export interface LoadedState {
  readonly state: ShardState;
  readonly snapshots: Snapshots;
  readonly replayedBytes: number;
}

/** Undefined for a shard that has neither commits nor a snapshot. */
export async function loadState(store: Store, shard: string): Promise<LoadedState | undefined> {
  const snapshots = new Snapshots(store, shard);
  const state = await snapshots.load();
  const isNew = snapshots.bytes === 0;
  const replayedBytes = await catchUp(store, shard, state);
  return isNew && state.n === 0 ? undefined : { state, snapshots, replayedBytes };
}

const COMMITS_AT_ONCE = 200;

/** Folds the commits after `state.n` into it; returns their size. */
export async function catchUp(store: Store, shard: string, state: ShardState): Promise<number> {
  let total = 0;
  for (;;) {
    const log = await readLog(store, shard, state.n, COMMITS_AT_ONCE);
    for (const { commit, bytes, change } of log) {
      invariant(commit.n === state.n + 1, () => `log of ${shard}: commit ${commit.n} follows ${state.n}`);
      invariant(
        commit.from === state.to,
        () =>
          `log of ${shard}: commit ${commit.n} begins at "${commit.from}", the state ends at "${state.to}"`,
      );
      state.apply(change());
      total += bytes;
    }
    if (log.length < COMMITS_AT_ONCE) return total;
  }
}
