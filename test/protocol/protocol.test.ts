/** The commit protocol, searched exhaustively; and each of its rules, shown to be needed. */
import { describe, expect, it } from "vitest";
import * as readers from "./readers.ts";
import { search } from "./search.ts";
import * as writers from "./writers.ts";

const MAX_STATES = 3_000_000;

describe("two workers of one shard", () => {
  it("count every record once, whoever dies, sleeps or writes late", () => {
    const { states, broken } = search(writers.writers(writers.ALL_RULES), MAX_STATES);
    expect(broken).toBeUndefined();
    expect(states).toBeGreaterThan(1_000);
  });

  it.each([
    { rule: "putIfAbsent", without: "the slot is overwritten" },
    { rule: "distrustsOldMemory", without: "a cleaned-up slot is taken for a free one" },
    { rule: "dedupes", without: "a batch put twice counts twice" },
  ] as const)("break without $rule: $without", ({ rule }) => {
    const { broken } = search(writers.writers({ ...writers.ALL_RULES, [rule]: false }), MAX_STATES);
    expect(broken?.trace.length).toBeGreaterThan(2);
  });
});

describe("two compactors and a reader", () => {
  it("agree with the log at every moment", () => {
    const { states, broken } = search(readers.readers(readers.ALL_RULES), MAX_STATES);
    expect(broken).toBeUndefined();
    expect(states).toBeGreaterThan(1_000);
  });

  it.each([
    { rule: "cursorFirst", without: "what is folded in between is read in neither place" },
    { rule: "skipsApplied", without: "a commit is folded twice after a crash" },
    { rule: "compareAndSet", without: "one compactor undoes the other" },
    { rule: "cursorLast", without: "a crash loses what was not folded yet" },
  ] as const)("break without $rule: $without", ({ rule }) => {
    const { broken } = search(readers.readers({ ...readers.ALL_RULES, [rule]: false }), MAX_STATES);
    expect(broken?.trace.length).toBeGreaterThan(2);
  });
});
