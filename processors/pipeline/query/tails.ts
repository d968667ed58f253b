/**
 * The tails of the commit logs: the commits that are not folded into rollups yet, decoded once and kept, with what is
 * told by the newest of them. Knows no rollups.
 */
import type { EpochMs } from "../../model/time.ts";
import type { Store } from "../../stores/store.ts";
import {
  type Commit,
  type CommitHeader,
  headerOf,
  type LoggedShard,
  listShards,
  newestCommits,
  readCommits,
} from "../commit.ts";
import { type FeedEntry, MAX_FEED } from "../feed.ts";

/** The newest commit of a shard. */
export interface NewestCommit extends CommitHeader {
  /** Every shard that came from this one has begun: what is still to come is theirs. */
  readonly isReplaced: boolean;
}

/** The newest commit of each shard that compaction has finished with. */
type Cursors = ReadonlyMap<string, number>;

/** Who is more commits behind reads the items again instead. */
const MAX_BEHIND = 2_000;
/** Commits of all shards together that are looked at for the live feed when nothing is in memory yet. */
const FEED_COMMITS = 30;
/** Logs of more shards are asked some at a time, because each is a wait. */
const FEW_SHARDS = 16;
const SHARDS_AT_ONCE = 32;
/** Decoded one after the other before others have a turn: some milliseconds' worth. */
const COMMITS_A_TURN = 16;

export class CommitTails {
  readonly #store: Store;
  readonly #pause: () => Promise<unknown>;
  /** Decoded commits beyond the cursor, by shard, in order. */
  readonly #tails = new Map<string, Commit[]>();
  /** Up to which commit each shard was read. */
  readonly #positions = new Map<string, number>();
  /** Newest commit of each shard that was read, wherever the cursor is. */
  readonly #newest = new Map<string, CommitHeader>();
  readonly #feeds = new Map<string, FeedEntry[]>();
  /** Commits that were compacted before the first read: decoded for their feed when somebody asks for one. */
  #feedless: Commit[] = [];

  constructor(store: Store, pause: () => Promise<unknown>) {
    this.#store = store;
    this.#pause = pause;
  }

  /** Whether nothing was read yet, or so long ago that it is not worth catching up. */
  isBehind(cursors: Cursors): boolean {
    if (this.#positions.size === 0) return true;
    return [...cursors].some(([shard, n]) => n - (this.#positions.get(shard) ?? n) > MAX_BEHIND);
  }

  forget(): void {
    for (const known of [this.#tails, this.#positions, this.#feeds]) known.clear();
    this.#feedless = [];
  }

  /** The commits that were read and are beyond the cursor. */
  *kept(): Iterable<Commit> {
    for (const tail of this.#tails.values()) yield* tail;
  }

  /** Start of a site's earliest window in those commits. */
  earliest(site: string): EpochMs | undefined {
    let first: EpochMs | undefined;
    for (const { partials } of this.kept())
      for (const start of partials.get(site)?.windows.keys() ?? []) first = Math.min(first ?? start, start);
    return first;
  }

  /** The newest events of a site, newest first. */
  feed(site: string): readonly FeedEntry[] {
    for (const commit of this.#feedless.splice(0)) this.#takeFeed(commit);
    return this.#feeds.get(site) ?? [];
  }

  /**
   * Reads on to the end of all logs and gives each new commit to `deliver`; answers the newest commit of each shard that
   * has one, or undefined when some are gone that were not seen: then nothing that is kept is whole.
   */
  async read(
    cursors: Cursors,
    deliver: (commit: Commit) => void,
  ): Promise<readonly NewestCommit[] | undefined> {
    const shards = await listShards(this.#store);
    for (const { id, cursor, position, fresh, compacted } of await this.#fresh(shards, cursors)) {
      this.#feedless.push(...compacted);
      for (const commit of compacted) this.#noteNewest(commit);
      if ((fresh[0]?.n ?? Math.max(cursor, position) + 1) !== position + 1) return undefined;
      this.#positions.set(id, fresh.at(-1)?.n ?? position);
      this.#tails.set(
        id,
        [...(this.#tails.get(id) ?? []), ...fresh].filter(({ n }) => n > cursor),
      );
      for (const [i, commit] of fresh.entries()) {
        if (i > 0 && i % COMMITS_A_TURN === 0) await this.#pause();
        this.#noteNewest(commit);
        this.#takeFeed(commit);
        deliver(commit);
      }
    }
    return shards.flatMap(({ id }) => {
      const header = this.#newest.get(id);
      return header ? [{ ...header, isReplaced: isReplaced(id, shards) }] : [];
    });
  }

  /** What each log holds beyond the position, and of one that was never read the newest that are compacted already. */
  async #fresh(shards: readonly LoggedShard[], cursors: Cursors) {
    const isWarm = this.#positions.size > 0;
    const feedCommits = Math.ceil(FEED_COMMITS / shards.length);
    const read = async ({ id }: LoggedShard) => {
      const cursor = cursors.get(id) ?? 0;
      const known = this.#positions.get(id);
      // The feed and the watermark need those before the cursor too.
      const newest = known === undefined ? await newestCommits(this.#store, id, feedCommits) : [];
      // A shard that began since the windows were read: they lack all of it.
      const position = known ?? (isWarm ? 0 : cursor);
      const fresh = await readCommits(this.#store, id, position);
      return { id, cursor, position, fresh, compacted: newest.filter(({ n }) => n <= cursor).reverse() };
    };
    const reads: Awaited<ReturnType<typeof read>>[] = [];
    const width = shards.length > FEW_SHARDS ? SHARDS_AT_ONCE : 1;
    for (let i = 0; i < shards.length; i += width)
      reads.push(...(await Promise.all(shards.slice(i, i + width).map(read))));
    return reads;
  }

  #noteNewest(commit: Commit): void {
    const known = this.#newest.get(commit.shard);
    if (!known || known.n < commit.n) this.#newest.set(commit.shard, headerOf(commit));
  }

  #takeFeed(commit: Commit): void {
    for (const [site, { feed }] of commit.partials) {
      const entries = [...(this.#feeds.get(site) ?? []), ...feed].sort((a, b) => b.at - a.at);
      this.#feeds.set(site, entries.slice(0, MAX_FEED));
    }
  }
}

/** A split makes two shards of one, a merge one of two. The first of two children says nothing of the other's records. */
function isReplaced(id: string, shards: readonly LoggedShard[]): boolean {
  const children = shards.filter(({ parents }) => parents.includes(id));
  return children.length > 1 || children.some(({ parents }) => parents.length > 1);
}
