/**
 * Model of compaction and reading beside a growing log: two compactors that may die at any step, two windows, and a reader
 * that reads cursor, items and tail one after the other, as in processors/pipeline/compact.ts and query/reader.ts.
 */
import type { Machine } from "./search.ts";

/** What each commit adds to each of two windows. */
const COMMITS: readonly (readonly [number, number])[] = [
  [1, 0],
  [10, 100],
  [0, 1000],
];
const WINDOWS = [0, 1] as const;

interface Item {
  readonly sum: number;
  readonly applied: number;
  readonly version: number;
}

interface Compactor {
  readonly at: "idle" | "folding" | "writing" | "cursor";
  /** The commits it read: (from, to]. */
  readonly from: number;
  readonly to: number;
  readonly window: number;
  readonly read: Item | null;
}

interface Reader {
  readonly at: "cursor" | "items" | "tail" | "done";
  readonly cursor: number;
  readonly items: readonly Item[];
  readonly window: number;
  readonly answer: number;
  readonly truth: number;
}

export interface ReadersState {
  readonly log: number;
  readonly cursor: number;
  readonly items: readonly Item[];
  readonly compactors: readonly Compactor[];
  readonly reader: Reader;
}

export interface ReaderRules {
  readonly cursorFirst: boolean;
  readonly skipsApplied: boolean;
  readonly compareAndSet: boolean;
  readonly cursorLast: boolean;
}

export const ALL_RULES: ReaderRules = {
  cursorFirst: true,
  skipsApplied: true,
  compareAndSet: true,
  cursorLast: true,
};

const none: Item = { sum: 0, applied: 0, version: 0 };
const idle: Compactor = { at: "idle", from: 0, to: 0, window: 0, read: null };
const itemKey = (item: Item | null): string => (item ? `${item.sum} ${item.applied} ${item.version}` : "");
const sum = (from: number, to: number, window: number): number =>
  COMMITS.slice(from, to).reduce((total, commit) => total + (commit[window] ?? 0), 0);

export function readers(rules: ReaderRules): Machine<ReadersState> {
  const reader: Reader = {
    at: rules.cursorFirst ? "cursor" : "items",
    cursor: 0,
    items: [],
    window: 0,
    answer: 0,
    truth: 0,
  };
  return {
    initial: { log: 0, cursor: 0, items: [none, none], compactors: [idle, idle], reader },
    // Two compactors are one like the other, and of a reader that is done only matters whether it was right.
    key: ({ log, cursor, items, compactors, reader }) =>
      [
        ...[log, cursor, ...items.map(itemKey)],
        ...compactors
          .map(({ at, from, to, window, read }) => `${at} ${from} ${to} ${window} ${itemKey(read)}`)
          .sort(),
        ...(reader.at === "done"
          ? [reader.answer === reader.truth]
          : [reader.at, reader.cursor, reader.window, ...reader.items.map(itemKey)]),
      ].join("|"),
    *steps(state) {
      if (state.log < COMMITS.length) yield [`commit ${state.log + 1}`, { ...state, log: state.log + 1 }];
      for (const [i, compactor] of state.compactors.entries())
        yield* compactorSteps(state, i, compactor, rules);
      yield* readerSteps(state, rules);
    },
    violation({ reader, items, cursor }) {
      if (reader.at === "done" && reader.answer !== reader.truth)
        return `read ${reader.answer} where ${reader.truth} was committed`;
      for (const window of WINDOWS) {
        const { sum: folded, applied } = items[window]!;
        const truth = sum(0, Math.max(applied, cursor), window);
        if (cursor >= applied && folded !== truth)
          return `window ${window} holds ${folded}, the log up to ${cursor} says ${truth}`;
      }
      return undefined;
    },
  };
}

function* compactorSteps(
  state: ReadersState,
  i: number,
  compactor: Compactor,
  rules: ReaderRules,
): Generator<readonly [string, ReadersState]> {
  const become = (next: Compactor, base = state): ReadersState => ({
    ...base,
    compactors: base.compactors.map((it, at) => (at === i ? next : it)),
  });
  const { at, from, to, window } = compactor;
  if (at !== "idle") yield [`compactor ${i} dies`, become(idle)];
  const moved = (cursor: number): number => Math.max(state.cursor, cursor);
  if (at === "idle") {
    if (state.log > state.cursor) {
      const begun = become({ at: "folding", from: state.cursor, to: state.log, window: 0, read: null });
      yield [
        `compactor ${i} reads commits ${state.cursor}..${state.log}`,
        rules.cursorLast ? begun : { ...begun, cursor: moved(state.log) },
      ];
    }
    return;
  }
  if (at === "folding") {
    yield [
      `compactor ${i} reads window ${window}`,
      become({ ...compactor, at: "writing", read: state.items[window]! }),
    ];
    return;
  }
  if (at === "cursor") {
    yield [`compactor ${i} moves the cursor to ${to}`, { ...become(idle), cursor: moved(to) }];
    return;
  }
  const read = compactor.read ?? none;
  const after: Compactor =
    window === 0
      ? { ...compactor, at: "folding", window: 1, read: null }
      : { ...compactor, at: "cursor", read: null };
  const start = rules.skipsApplied ? Math.max(from, read.applied) : from;
  // A commit that adds nothing to a window does not touch its item.
  const touches = COMMITS.slice(start, to).some((commit) => commit[window] !== 0);
  if (!touches) {
    yield [`compactor ${i} has nothing for window ${window}`, become(after)];
    return;
  }
  const current = state.items[window]!;
  if (rules.compareAndSet && current.version !== read.version) {
    yield [`compactor ${i} loses window ${window}`, become({ ...compactor, at: "folding", read: null })];
    return;
  }
  const item = {
    sum: read.sum + sum(start, to, window),
    applied: Math.max(read.applied, to),
    version: current.version + 1,
  };
  yield [
    `compactor ${i} writes window ${window}`,
    become(after, { ...state, items: state.items.map((it, at) => (at === window ? item : it)) }),
  ];
}

function* readerSteps(state: ReadersState, rules: ReaderRules): Generator<readonly [string, ReadersState]> {
  const { reader } = state;
  if (reader.at === "cursor") {
    yield [
      "reader reads the cursor",
      { ...state, reader: { ...reader, at: rules.cursorFirst ? "items" : "tail", cursor: state.cursor } },
    ];
  } else if (reader.at === "items") {
    const items = [...reader.items, state.items[reader.window]!];
    const at = reader.window === 0 ? "items" : rules.cursorFirst ? "tail" : "cursor";
    yield [`reader reads window ${reader.window}`, { ...state, reader: { ...reader, at, items, window: 1 } }];
  } else if (reader.at === "tail") {
    const answer = WINDOWS.reduce<number>((total, window) => {
      const item = reader.items[window]!;
      return total + item.sum + sum(Math.max(reader.cursor, item.applied), state.log, window);
    }, 0);
    const truth = WINDOWS.reduce<number>((total, window) => total + sum(0, state.log, window), 0);
    yield ["reader reads the tail", { ...state, reader: { ...reader, at: "done", answer, truth } }];
  }
}
