/** What is counted in typed arrays is, to the byte, what plain rollups say of the same additions. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { VISIT_DIMENSIONS } from "../../../processors/model/dimensions.ts";
import { VITALS } from "../../../processors/model/event.ts";
import { COUNTS, type Measures } from "../../../processors/model/measures.ts";
import { isDeferred, MAX_PROPS_TABLES, Rollup } from "../../../processors/model/rollup.ts";
import { MINUTE_MS } from "../../../processors/model/time.ts";
import { Cells, IntLists, orderedBy } from "../../../processors/pipeline/cells.ts";
import { PartialFold } from "../../../processors/pipeline/partial.ts";
import { sampleOf } from "../../../processors/pipeline/partialbytes.ts";
import { rollupsOf } from "../../../processors/pipeline/partialreader.ts";
import type { Rows } from "../../../processors/pipeline/rows.ts";
import { EXACT_LIMIT } from "../../../processors/sketches/ultraloglog.ts";
import { NOON } from "./lines.ts";

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex");

/** Ids of few people; the last has nothing but zeros where a sketch looks first. */
const PEOPLE = ["00000001ffffffff", "00000002ffffffff", "80000001ffffffff", "fff0000000000017"];
const PROFILES = [
  VISIT_DIMENSIONS.map(() => ""),
  VISIT_DIMENSIONS.map((_, i) => (i % 2 ? "" : "a")),
  VISIT_DIMENSIONS.map((_, i) => (i === 3 ? "b" : "a")),
];

const addition = fc.record({
  minute: fc.nat(3),
  /** A row of its own, the totals, or all rows of a visit. */
  row: fc.oneof(
    fc.constant("totals" as const),
    fc.record({ profile: fc.nat(PROFILES.length - 1) }),
    fc.record({
      dimension: fc.constantFrom("event:page", "event:name", "event:props:plan"),
      value: fc.constantFrom("/", "/a", "", "__proto__", "차"),
    }),
  ),
  counts: fc.array(fc.tuple(fc.nat(COUNTS.length - 1), fc.integer({ min: -2, max: 4_000_000_000 })), {
    maxLength: 3,
  }),
  people: fc.array(fc.nat(PEOPLE.length - 1), { maxLength: 3 }),
  money: fc.option(
    fc.tuple(fc.constantFrom("USD", "KRW"), fc.integer({ min: -1_000, max: 1_000 }), fc.nat(1)),
  ),
  vital: fc.option(fc.tuple(fc.constantFrom(...VITALS), fc.double({ min: 0, max: 60_000, noNaN: true }))),
});
type Addition = typeof addition extends fc.Arbitrary<infer T> ? T : never;

/** Attributes of a visit that vitals are kept for. */
const WITH_VITALS: readonly string[] = ["visit:device", "visit:country"];

function addToCells(partial: PartialFold, { minute, row, counts, people, money, vital }: Addition): void {
  const window = partial.window(NOON + minute * MINUTE_MS);
  const add = (rows: Rows, cell: number): void => {
    for (const [place, value] of counts) rows.add(cell, place, value);
    for (const person of people) rows.visitors.addOnce(cell, partial.person(PEOPLE[person]!));
    if (money) rows.addRevenue(cell, ...money);
    if (vital) rows.vitals.add(cell, sampleOf(...vital));
  };
  if (row === "totals") add(partial.shares, partial.totals(window));
  else if ("profile" in row) add(partial.shares, partial.share(window, PROFILES[row.profile]!));
  else
    add(
      partial.rows,
      partial.rows.cells.at(window, partial.columnOf(partial.dimension(row.dimension), row.value).index),
    );
}

function addToRollup(rollup: Rollup, { row, counts, people, money, vital }: Addition): void {
  const add = (measures: Measures | undefined, hasVitals = true): void => {
    if (!measures) return;
    for (const [place, value] of counts) measures[COUNTS[place]!] += value;
    for (const person of people)
      measures.addVisitor(
        Number.parseInt(PEOPLE[person]!.slice(0, 8), 16),
        Number.parseInt(PEOPLE[person]!.slice(8), 16),
      );
    if (money) measures.addRevenue(...money);
    if (vital && hasVitals) measures.addVital(...vital);
  };
  if (row === "totals") add(rollup.totals);
  else if ("profile" in row) {
    add(rollup.totals);
    for (const [i, value] of PROFILES[row.profile]!.entries())
      if (value !== "")
        add(rollup.row(VISIT_DIMENSIONS[i]!, value), WITH_VITALS.includes(VISIT_DIMENSIONS[i]!));
  } else add(rollup.row(row.dimension, row.value));
}

describe("a partial", () => {
  it("reads as the rollups that the same additions make", () => {
    fc.assert(
      fc.property(fc.array(addition, { maxLength: 30 }), (additions) => {
        const partial = new PartialFold();
        const plain = new Map<number, Rollup>();
        for (const one of additions) {
          addToCells(partial, one);
          const start = NOON + one.minute * MINUTE_MS;
          const rollup = plain.get(start) ?? new Rollup();
          plain.set(start, rollup);
          addToRollup(rollup, one);
        }
        const read = rollupsOf(partial);
        expect([...read.keys()]).toEqual([...plain.keys()].sort((a, b) => a - b));
        for (const [start, rollup] of plain) {
          // Tables are read when they are asked for, whoever asks: one, a merge, or the encoder.
          const whole = new Rollup();
          whole.merge(read.get(start)!);
          expect(hex(whole.encode())).toBe(hex(rollup.encode()));
          expect(hex(read.get(start)?.encode())).toBe(hex(rollup.encode()));
        }
        // Asked again, and after more was counted, it says all.
        const [first] = additions;
        if (!first) return;
        addToCells(partial, first);
        const start = NOON + first.minute * MINUTE_MS;
        addToRollup(plain.get(start)!, first);
        expect(hex(rollupsOf(partial).get(start)?.encode())).toBe(hex(plain.get(start)?.encode()));
      }),
    );
  });

  it("merges as its rollups do, into rows of few, many and uncountable visitors", () => {
    const partial = new PartialFold();
    const window = partial.window(NOON);
    const id = (person: number): string =>
      Math.imul(person + 1, 0x9e3779b1)
        .toString(16)
        .replace("-", "f")
        .padStart(8, "0")
        .repeat(2)
        .slice(0, 16);
    for (const [value, count] of [
      ["few", 3],
      ["some", 40],
      ["many", EXACT_LIMIT + 200],
    ] as const) {
      const cell = partial.rows.cells.at(window, partial.columnOf(partial.pages, value).index);
      for (let person = 0; person < count; person++)
        partial.rows.visitors.add(cell, partial.person(id(person * 7 + count)));
      for (const minor of [5, -7]) partial.rows.addRevenue(cell, "KRW", minor, 1);
      for (const lcp of [3, 900, 901]) partial.rows.vitals.add(cell, sampleOf("lcp", lcp));
    }
    const read = rollupsOf(partial).get(NOON)!;
    const rows = read.readTable("event:page");
    if (!isDeferred(rows)) throw new Error("a commit's table waits to be read");
    const whole = new Rollup();
    for (const value of rows.values)
      whole.row("event:page", value)!.merge(rollupsOf(partial).get(NOON)!.table("event:page")!.get(value)!);
    expect(rows.values.map((_, row) => rows.mostVisitors(row))).toEqual([3, 40, EXACT_LIMIT + 200]);
    for (const before of ["few", "some", "many"]) {
      const [merged, expected] = [new Rollup(), new Rollup()];
      // Every row comes upon one that has few, some or many visitors already.
      for (const rollup of [merged, expected])
        for (const value of rows.values)
          rollup.row("event:page", value)!.merge(whole.table("event:page")!.get(before)!);
      merged.merge(read);
      expected.merge(whole);
      expect(hex(merged.encode())).toBe(hex(expected.encode()));
    }
  });

  it("takes no more properties in a minute than a rollup, and goes on with those it has", () => {
    const partial = new PartialFold();
    const [here, next] = [partial.window(NOON), partial.window(NOON + MINUTE_MS)];
    const taken = Array.from({ length: MAX_PROPS_TABLES + 1 }, (_, i) => partial.property(here, `key${i}`));
    expect(taken.map((dimension) => dimension?.name)).toEqual([
      ...Array.from({ length: MAX_PROPS_TABLES }, (_, i) => `event:props:key${i}`),
      undefined,
    ]);
    expect(partial.property(here, "key0")).toBe(taken[0]);
    expect(partial.property(next, `key${MAX_PROPS_TABLES}`)?.name).toBe(`event:props:key${MAX_PROPS_TABLES}`);
  });

  it("shows the newest 20 events", () => {
    const partial = new PartialFold();
    const url = { hostname: "example.com", path: "/", query: {} };
    const attributes = VISIT_DIMENSIONS.map(() => "");
    for (let at = 0; at < 50; at++)
      partial.show({ name: "n", at, url, referrer: "", props: [], interactive: true }, attributes, undefined);
    expect(partial.feed.map(({ at }) => at)).toEqual(Array.from({ length: 20 }, (_, i) => 30 + i));
  });
});

describe("cells and lists", () => {
  it("keep apart what thousands of pairs were given, as a map would", () => {
    const pair = fc.tuple(
      fc.nat(300),
      fc.oneof(fc.constant(1), fc.nat(300)),
      fc.integer({ min: -5, max: 5 }),
    );
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1_000, maxLength: 2_000 }), (pairs) => {
        const [cells, lists] = [new Cells(2), new IntLists()];
        const sums = new Map<string, number>();
        const values = new Map<string, number[]>();
        for (const [window, column, value] of pairs) {
          const key = `${window} ${column}`;
          const cell = cells.at(window, column);
          cells.add(cell, 1, value);
          lists.add(cell, value);
          sums.set(key, (sums.get(key) ?? 0) + value);
          values.set(
            key,
            [...(values.get(key) ?? []), value].sort((a, b) => a - b),
          );
        }
        expect(cells.size).toBe(sums.size);
        for (let cell = 0; cell < cells.size; cell++) {
          const key = `${cells.windowOf(cell)} ${cells.columnOf(cell)}`;
          expect([cells.get(cell, 0), cells.get(cell, 1)]).toEqual([0, sums.get(key)]);
          const count = lists.gather(cell);
          expect([...lists.gathered.subarray(0, count)]).toEqual(values.get(key));
        }
      }),
      { numRuns: 5 },
    );
  });

  it("are put in order by a key, and stay as they were within one", () => {
    const keys = Int32Array.of(2, 0, 1, 0, 2);
    expect([...orderedBy(Int32Array.of(4, 3, 2, 1, 0), keys, 3)]).toEqual([3, 1, 2, 4, 0]);
  });
});
