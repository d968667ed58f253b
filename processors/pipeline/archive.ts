/**
 * The archive as a consumer of its own: it folds the same records with its own log and state, so that its troubles are
 * not those of counting. Salts and the registry of sites are everybody's: both consumers decide alike.
 */
import type { Clock } from "../model/time.ts";
import type { Store } from "../stores/store.ts";
import { deleteCommits, LOG_GRACE_MS, readCommits } from "./commit.ts";
import { newestSnapshot } from "./snapshots.ts";

/** Partitions of a consumer's progress; all others are shared. */
const OWN = /^(log\/|state\/|shard$)/;

/** The store as the archive's consumer sees it: progress under its own keys, everything else as it is. */
export function archiveStore(store: Store): Store {
  const own = (pk: string): string => (OWN.test(pk) ? `archive/${pk}` : pk);
  return {
    get: (key) => store.get({ ...key, pk: own(key.pk) }),
    getMany: (keys) => store.getMany(keys.map((key) => ({ ...key, pk: own(key.pk) }))),
    list: (pk, range) => store.list(own(pk), range),
    put: (item, expected) => store.put({ ...item, pk: own(item.pk) }, expected),
    delete: (keys) => store.delete(keys.map((key) => ({ ...key, pk: own(key.pk) }))),
    close: () => store.close(),
  };
}

const FORGOTTEN_AT_ONCE = 200;
/** More than the thousand commits that come between two snapshots at most, so that none are left for ever. */
const MAX_PORTIONS = 10;

/**
 * Forgets old commits of a log that holds no counts, so that nobody compacts it: those in a snapshot, but not the
 * newest, and older than any worker that may still read them.
 */
export async function forgetCommits(store: Store, clock: Clock, shard: string): Promise<void> {
  const snapshot = await newestSnapshot(store, shard);
  if (snapshot === undefined) return;
  for (let portions = 0; portions < MAX_PORTIONS; portions++) {
    const oldest = await readCommits(store, shard, 0, FORGOTTEN_AT_ONCE);
    const old = oldest.filter(
      ({ n, committedAt }) => n < snapshot && clock.now() - committedAt > LOG_GRACE_MS,
    );
    const last = old.at(-1);
    if (last) await deleteCommits(store, shard, last.n);
    if (old.length < FORGOTTEN_AT_ONCE) return;
  }
}
