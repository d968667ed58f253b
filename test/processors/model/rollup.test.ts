/** Laws of merging, canonical bytes, and tables that are full. */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ColumnTable, writeTableApart } from "../../../processors/model/columns.ts";
import {
  EVENT_DIMENSIONS,
  EXIT_PAGE,
  OTHER,
  VISIT_DIMENSIONS,
} from "../../../processors/model/dimensions.ts";
import { REJECT_REASONS, VITALS } from "../../../processors/model/event.ts";
import { COUNTS, Measures } from "../../../processors/model/measures.ts";
import { bound, putAside, trim } from "../../../processors/model/overflow.ts";
import { MAX_PROPS_TABLES, Rollup } from "../../../processors/model/rollup.ts";
import { ByteWriter } from "../../../processors/sketches/bytes.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const columns = (of: Rollup): Uint8Array => {
  const writer = new ByteWriter();
  of.encodeColumnsTo(writer);
  return writer.finish();
};

const fill = (measures: Measures, plan: Plan): void => {
  for (const [name, value] of plan.counts) measures[name] += value;
  for (const hash of plan.visitors) measures.addVisitor(hash, Math.imul(hash, 0x9e3779b1));
  for (const [currency, minor] of plan.money) measures.addRevenue(currency, minor);
  for (const [name, value] of plan.vitals) measures.addVital(name, value);
};

const plan = fc.record({
  counts: fc.array(fc.tuple(fc.constantFrom(...COUNTS), fc.integer({ min: -3, max: 1_000_000 })), {
    maxLength: 4,
  }),
  /** Some of them stand in many rows. */
  visitors: fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer()), { maxLength: 6 }),
  money: fc.array(
    fc.tuple(fc.constantFrom("USD", "KRW", "EUR"), fc.integer({ min: -1_000, max: 1_000_000_000 })),
    { maxLength: 3 },
  ),
  vitals: fc.array(fc.tuple(fc.constantFrom(...VITALS), fc.double({ min: 0, max: 60_000, noNaN: true })), {
    maxLength: 3,
  }),
});
type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;

const rollup = fc
  .record({
    totals: plan,
    late: fc.nat(5),
    rejects: fc.array(fc.constantFrom(...REJECT_REASONS), { maxLength: 3 }),
    rows: fc.array(
      fc.tuple(
        fc.constantFrom(...VISIT_DIMENSIONS, ...EVENT_DIMENSIONS, EXIT_PAGE, "event:props:plan"),
        fc.oneof(fc.constantFrom("/", "/a", "Google", "", "__proto__"), fc.string({ unit: "grapheme" })),
        plan,
      ),
      { maxLength: 12 },
    ),
    /** Most come from a log or a store, with tables that are still bytes. */
    from: fc.constantFrom("memory", "rows", "columns"),
  })
  .map(({ totals, late, rejects, rows, from }) => () => {
    const made = new Rollup();
    fill(made.totals, totals);
    made.late = late;
    for (const reason of rejects) made.reject(reason);
    for (const [dimension, value, content] of rows) {
      const row = made.row(dimension, value.toWellFormed());
      if (row) fill(row, content);
    }
    if (from === "memory") return made;
    return Rollup.decode(from === "rows" ? made.encode() : columns(made));
  });

/** Bytes of the rollup below, as the first version wrote them. */
const GOLDEN = [
  "01ff87c0030214c80101a09c01c09a0c80897a80dac4098084af5f80a8d6b907130000000200000003bffffffa02034b5257",
  "cf8c010203555344c4130202001401820b01021201020200010503010a6576656e743a7061676519012f02d8040b2fecb0a8",
  "2feb85b9ecb0a88080401100000007",
].join("");

/** The same by column. */
const GOLDEN_COLUMNS = [
  "02ff87c0030214c80101a09c01c09a0c80897a80dac4098084af5f80a8d6b907130000000200000003bffffffa02034b52",
  "57cf8c010203555344c4130202001401820b01021201020200010503010a6576656e743a706167651f0182804002012f0b",
  "2fecb0a82feb85b9ecb0a8d80400000100051100000007",
].join("");

/** Of a rollup whose visitors stand in several rows. */
const GOLDEN_ROSTER = [
  "03030c0000000a00000007bfffffef808040330000010a6576656e743a706167651a0180804002012f0b2fecb0a82feb85b9",
  "ecb0a803010102333180",
].join("");

const merged = (...parts: readonly Rollup[]): Rollup => {
  const whole = new Rollup();
  for (const part of parts) whole.merge(part);
  return whole;
};

describe("merging rollups", () => {
  it("is associative, to the byte", () => {
    fc.assert(
      fc.property(rollup, rollup, rollup, (a, b, c) => {
        expect(hex(merged(merged(a(), b()), c()).encode())).toBe(hex(merged(a(), merged(b(), c())).encode()));
      }),
    );
  });

  it("is commutative, to the byte", () => {
    fc.assert(
      fc.property(rollup, rollup, (a, b) => {
        expect(hex(merged(a(), b()).encode())).toBe(hex(merged(b(), a()).encode()));
      }),
    );
  });

  it("with nothing changes nothing, and leaves what was merged as it was", () => {
    fc.assert(
      fc.property(rollup, rollup, (a, b) => {
        const [one, other] = [a(), b()];
        const before = hex(other.encode());
        expect(hex(merged(one, new Rollup()).encode())).toBe(hex(one.encode()));
        const target = merged(other);
        target.merge(one);
        for (const name of target.dimensions)
          for (const row of target.table(name)?.values() ?? []) row.addVisitor(1, 2);
        target.totals.addVisitor(3, 4);
        expect(hex(other.encode())).toBe(before);
      }),
    );
  });

  it("survives the store: encoded and decoded it is the same, and so is what is merged into it", () => {
    fc.assert(
      fc.property(rollup, rollup, (a, b) => {
        const bytes = a().encode();
        expect(hex(Rollup.decode(bytes).encode())).toBe(hex(bytes));
        expect(hex(Rollup.decode(columns(a())).encode())).toBe(hex(bytes));
        expect(hex(columns(Rollup.decode(bytes)))).toBe(hex(columns(a())));
        expect(hex(columns(Rollup.decode(columns(a()))))).toBe(hex(columns(a())));
        // As a view into a larger buffer, which is how the store and the log hand it over.
        const shared = new Uint8Array(bytes.length + 7).fill(255);
        shared.set(bytes, 3);
        const viewed = Rollup.decode(shared.subarray(3, 3 + bytes.length));
        viewed.merge(b());
        for (const name of viewed.dimensions)
          for (const row of viewed.table(name)?.values() ?? []) row.addVisitor(1, 2);
        viewed.totals.addVisitor(3, 4);
        expect(hex(shared.subarray(3, 3 + bytes.length))).toBe(hex(bytes));
      }),
    );
  });
});

describe("a rollup's bytes", () => {
  it("leave out what came and went", () => {
    const changed = new Rollup();
    const row = changed.row(EXIT_PAGE, "/a");
    if (row) row.visits += 1;
    if (row) row.visits -= 1;
    changed.totals.addRevenue("USD", 100);
    changed.totals.addRevenue("USD", -100, -1);
    expect(hex(changed.encode())).toBe(hex(new Rollup().encode()));
  });

  it("are these in versions 1 and 2: what is stored must stay readable", () => {
    const golden = new Rollup();
    fill(golden.totals, {
      counts: COUNTS.map((name, i) => [name, i === 3 ? -1 : 10 ** i]),
      visitors: [1, 2, -3],
      money: [
        ["USD", 1250],
        ["KRW", -9_000],
      ],
      vitals: [
        ["lcp", 1_800],
        ["cls", 0],
      ],
    });
    golden.late = 2;
    golden.reject("bot", 3);
    golden.reject("malformed");
    golden.row("event:page", "/차/녹차")?.addVisitor(7, 8);
    const home = golden.row("event:page", "/");
    if (home) home.pageviews = 300;
    const bytes = hex(golden.encode());
    expect(bytes).toBe(GOLDEN);
    expect(hex(Rollup.decode(Buffer.from(GOLDEN, "hex")).encode())).toBe(GOLDEN);
    expect(hex(columns(golden))).toBe(GOLDEN_COLUMNS);
    expect(hex(Rollup.decode(Buffer.from(GOLDEN_COLUMNS, "hex")).encode())).toBe(GOLDEN);
  });

  it("are these in version 3, which names visitors once where they stand in several rows", () => {
    const golden = new Rollup();
    for (const hash of [7, -9, 5]) golden.totals.addVisitor(hash, 8);
    golden.row("event:page", "/차/녹차")?.addVisitor(7, 8);
    const home = golden.row("event:page", "/");
    for (const hash of [7, -9, 5]) home?.addVisitor(hash, 8);
    const bytes = hex(columns(golden));
    expect(bytes).toBe(GOLDEN_ROSTER);
    expect(hex(Rollup.decode(Buffer.from(bytes, "hex")).encode())).toBe(hex(golden.encode()));
    // A table that lies apart has its own, and the last row is one of the same three.
    const apart = new ByteWriter();
    const table = new Map([...golden.table("event:page")!, ["/z", golden.totals] as const]);
    writeTableApart(apart, table);
    const read = new Rollup();
    read.mergeTable("event:page", new ColumnTable(apart.finish()));
    const counted = [...read.table("event:page")!].map(([value, row]) => [value, row.visitors?.estimate()]);
    expect(counted).toEqual([
      ["/", 3],
      ["/z", 3],
      ["/차/녹차", 1],
    ]);
  });

  it("of another version are refused", () => {
    expect(() => Rollup.decode(Uint8Array.of(4, 0, 0, 0, 0))).toThrow("version 4");
    expect(() => new ColumnTable(Uint8Array.of(3, 0, 0))).toThrow("layout 3");
  });

  it("hold sums that no honest traffic reaches, at their limit", () => {
    const rich = new Rollup();
    for (let i = 0; i < 8; i++) rich.totals.addRevenue("USD", 1e15, 1);
    rich.totals.engagedMs = 9e15;
    const read = Rollup.decode(rich.encode());
    expect(read.totals.revenue?.get("USD")).toEqual({ minor: 2 ** 51, count: 8 });
    expect(read.totals.engagedMs).toBe(2 ** 51);
  });
});

describe("a full table", () => {
  const crowd = (size: number, from = 0): Rollup => {
    const full = new Rollup();
    for (let i = from; i < from + size; i++) {
      const row = full.row("event:page", `/${i}`);
      if (!row) continue;
      row.events = row.pageviews = 1 + (i % 7);
      row.bounces = 1;
      row.addVisitor(i, i);
    }
    return full;
  };
  const sums = (of: Rollup): Measures => {
    const sum = new Measures();
    for (const row of of.table("event:page")?.values() ?? []) sum.merge(row);
    return sum;
  };

  it("gives its least visited rows to (other) and keeps every sum, also the visitors'", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 80 }), fc.integer({ min: 2, max: 40 }), (size, most) => {
        const full = crowd(size);
        const before = sums(full);
        bound(full, most);
        const table = full.table("event:page");
        expect(table?.size).toBe(Math.min(size, most));
        expect(table?.has(OTHER)).toBe(size > most);
        expect(sums(full)).toEqual(before);
        const kept = [...(table ?? [])].filter(([value]) => value !== OTHER).map(([, row]) => row.events);
        const least = Math.min(...kept);
        const given = Array.from({ length: size }, (_, i) => i).filter((i) => !table?.has(`/${i}`));
        for (const i of given) expect(1 + (i % 7)).toBeLessThanOrEqual(least);
      }),
    );
  });

  it("stays bounded however often more comes, with exact sums", () => {
    const whole = new Rollup();
    const expected = new Measures();
    for (let round = 0; round < 20; round++) {
      const more = crowd(30, round * 30);
      expected.merge(sums(more));
      whole.merge(more);
      bound(whole, 25);
    }
    expect(whole.table("event:page")?.size).toBe(25);
    expect(sums(whole)).toEqual(expected);
  });

  it("that is added up loses none of the rows that would be put aside, and no longer grows at twice as many", () => {
    const limits = { rows: 10, rest: 20 };
    const full = crowd(50);
    trim(full, limits);
    expect(full.table("event:page")?.size).toBe(50);
    const [before, kept] = [crowd(51), crowd(51)];
    trim(kept, limits);
    expect(kept.table("event:page")?.size).toBe(30);
    expect(sums(kept)).toEqual(sums(before));
    const rest = putAside(kept, limits)?.table("event:page");
    // Twenty rows, and what was lost.
    expect(rest?.size).toBe(21);
    expect(rest?.has(OTHER)).toBe(true);
  });

  it("takes a correction of a row that it gave away to where that row went", () => {
    const full = crowd(40);
    bound(full, 10);
    const correction = new Rollup();
    const evicted = Array.from({ length: 40 }, (_, i) => `/${i}`).find(
      (value) => !full.table("event:page")?.has(value),
    );
    const row = correction.row("event:page", evicted ?? "");
    if (row) row.bounces = -1;
    full.merge(correction);
    const before = sums(full);
    bound(full, 10);
    expect(full.table("event:page")?.size).toBe(10);
    for (const measures of full.table("event:page")?.values() ?? [])
      expect(measures.bounces).toBeGreaterThanOrEqual(0);
    expect(sums(full)).toEqual(before);
    // And again when the table has room, as it has after a row came to nothing.
    full.merge(correction);
    bound(full, 100);
    for (const measures of full.table("event:page")?.values() ?? [])
      expect(measures.bounces).toBeGreaterThanOrEqual(0);
  });

  it("of property keys takes no more keys, and never the place of another dimension", () => {
    const flooded = new Rollup();
    for (let i = 0; i < 200; i++) flooded.row(`event:props:key${i}`, "x")?.addVisitor(i, i);
    const other = new Rollup();
    for (const name of VISIT_DIMENSIONS) other.row(name, "x")?.addVisitor(1, 1);
    flooded.merge(other);
    expect(flooded.dimensions).toHaveLength(MAX_PROPS_TABLES + VISIT_DIMENSIONS.length);
    for (const name of VISIT_DIMENSIONS) expect(flooded.table(name)?.size).toBe(1);
  });
});
