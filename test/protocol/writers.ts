/**
 * Model of the workers of one shard: two at once, each dying or sleeping at any step, requests that land late, repeated
 * records, and clean-up of old slots. State and counts travel in the commit, as in processors/pipeline/commit.ts.
 */
import type { Machine } from "./search.ts";

/** Records of the shard in order; equal names are one batch put twice. */
const RECORDS = ["a", "b", "a"];

/** Requests under way at once; more only repeat what one shows. */
const MAX_FLYING = 1;

interface Commit {
  /** Records folded so far, from the beginning. */
  readonly to: number;
  /** Names this commit counts. */
  readonly counts: readonly string[];
}

interface Memory {
  readonly n: number;
  readonly to: number;
  readonly seen: readonly string[];
  /** Others have forgotten slots since it was read: a clock would say that it is old. */
  readonly stale: boolean;
}

interface Worker {
  readonly memory: Memory | null;
  /** Folded and ready to be put, for slot memory.n + 1. */
  readonly ready: Commit | null;
  /** Records up to here were reported to the stream as done. */
  readonly done: number;
}

export interface WritersState {
  /** Slot n at index n - 1; null once cleaned up. */
  readonly log: readonly (Commit | null)[];
  /** Newest commit that a snapshot covers, with the state as of then. */
  readonly snapshot: Memory;
  readonly workers: readonly Worker[];
  /** Puts that left a worker and may land at any time, or never. */
  readonly flying: readonly { readonly slot: number; readonly commit: Commit }[];
  /** What was ever written into the log, whether cleaned up since or not. */
  readonly counted: readonly string[];
  /** A put took a slot that was cleaned up. */
  readonly reused: boolean;
}

/** Rules that can be switched off, to see that the search would notice. */
export interface WriterRules {
  readonly putIfAbsent: boolean;
  /** A worker whose memory may be older than what is cleaned up reads the log again. */
  readonly distrustsOldMemory: boolean;
  readonly dedupes: boolean;
}

export const ALL_RULES: WriterRules = {
  putIfAbsent: true,
  distrustsOldMemory: true,
  dedupes: true,
};

const EMPTY: Memory = { n: 0, to: 0, seen: [], stale: false };
const idle: Worker = { memory: null, ready: null, done: 0 };

export function writers(rules: WriterRules): Machine<WritersState> {
  return {
    initial: { log: [], snapshot: EMPTY, workers: [idle, idle], flying: [], counted: [], reused: false },
    *steps(state) {
      for (const [i, worker] of state.workers.entries()) yield* workerSteps(state, i, worker, rules);
      for (const [i, { slot, commit }] of state.flying.entries()) {
        const rest = { ...state, flying: state.flying.filter((_, at) => at !== i) };
        yield [`put of slot ${slot} lands late`, put(rest, slot, commit, rules).state];
        yield [`put of slot ${slot} is lost`, rest];
      }
      yield* housekeeping(state);
    },
    violation(state) {
      const repeated = state.counted.filter((name, at) => state.counted.indexOf(name) !== at);
      if (repeated.length > 0) return `${repeated} counted twice`;
      const done = Math.max(...state.workers.map((worker) => worker.done));
      const lost = RECORDS.slice(0, done).filter((name) => !state.counted.includes(name));
      // Reported as done but in a slot that nobody reads, or in none.
      if (lost.length > 0) return `${lost} reported as done but never counted`;
      if (state.reused) return "a commit was written into a slot that nobody reads any more";
      return undefined;
    },
  };
}

const newest = (state: WritersState): number => state.log.length;

function* workerSteps(
  state: WritersState,
  i: number,
  worker: Worker,
  rules: WriterRules,
): Generator<readonly [string, WritersState]> {
  const become = (next: Worker, base = state): WritersState => ({
    ...base,
    workers: base.workers.map((it, at) => (at === i ? next : it)),
  });
  if (worker.memory || worker.ready) yield [`worker ${i} dies`, become({ ...idle, done: worker.done })];
  if (!worker.memory) {
    yield [`worker ${i} reads the log`, become({ ...worker, memory: load(state) })];
    return;
  }
  const { memory, ready } = worker;
  if (!ready) {
    if (memory.stale && rules.distrustsOldMemory) {
      yield [`worker ${i} distrusts its memory`, become({ ...worker, memory: null })];
      return;
    }
    for (let to = memory.to + 1; to <= RECORDS.length; to++) {
      const batch = RECORDS.slice(memory.to, to);
      const counts = rules.dedupes
        ? [...new Set(batch)].filter((name) => !memory.seen.includes(name))
        : batch;
      yield [`worker ${i} folds ${memory.to}..${to}`, become({ ...worker, ready: { to, counts } })];
    }
    return;
  }
  const slot = memory.n + 1;
  const { state: after, won } = put(state, slot, ready, rules);
  const learned = won
    ? {
        memory: { n: slot, to: ready.to, seen: [...memory.seen, ...ready.counts], stale: false },
        ready: null,
        done: Math.max(worker.done, ready.to),
      }
    : { ...worker, memory: null, ready: null };
  yield [`worker ${i} puts slot ${slot}`, become(learned, after)];
  yield [`worker ${i} puts slot ${slot}, the answer is lost`, become({ ...idle, done: worker.done }, after)];
  if (state.flying.length < MAX_FLYING) {
    const flying = [...state.flying, { slot, commit: ready }];
    yield [
      `worker ${i} puts slot ${slot}, time runs out`,
      become({ ...idle, done: worker.done }, { ...state, flying }),
    ];
  }
}

/** Reads the newest snapshot and the commits after it. */
function load(state: WritersState): Memory {
  let memory = state.snapshot;
  for (let n = memory.n + 1; n <= newest(state); n++) {
    const commit = state.log[n - 1];
    if (!commit) break;
    memory = { n, to: commit.to, seen: [...memory.seen, ...commit.counts], stale: false };
  }
  return memory;
}

function put(
  state: WritersState,
  slot: number,
  commit: Commit,
  rules: WriterRules,
): { state: WritersState; won: boolean } {
  const isFree = !state.log[slot - 1];
  if (!isFree && rules.putIfAbsent) return { state, won: false };
  const log = [...state.log];
  const reused = state.reused || (isFree && slot <= log.length);
  while (log.length < slot - 1) log.push(null);
  const replaced = log[slot - 1]?.counts ?? [];
  log[slot - 1] = commit;
  const counted = [...state.counted.filter((name) => !replaced.includes(name)), ...commit.counts];
  return { state: { ...state, log, counted, reused }, won: true };
}

/** Snapshots at any time; clean-up waits until no request in flight or memory in use could be that old. */
function* housekeeping(state: WritersState): Generator<readonly [string, WritersState]> {
  const current = load(state);
  if (current.n > state.snapshot.n) yield [`snapshot at ${current.n}`, { ...state, snapshot: current }];
  const upTo = state.snapshot.n;
  for (let n = 1; n <= upTo; n++) {
    if (!state.log[n - 1]) continue;
    // An hour is longer than any request lives and than any step of a worker lasts: what is under way now is younger.
    if (state.flying.some(({ slot }) => slot <= n)) break;
    if (state.workers.some(({ memory, ready }) => ready !== null && memory !== null && memory.n < n)) break;
    const log = state.log.map((commit, at) => (at === n - 1 ? null : commit));
    const workers = state.workers.map((worker) =>
      worker.memory && worker.memory.n < newest(state)
        ? { ...worker, memory: { ...worker.memory, stale: true } }
        : worker,
    );
    yield [`clean up slot ${n}`, { ...state, log, workers }];
    break;
  }
}
