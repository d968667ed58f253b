/** A large rollup as it is stored: 2,000 rows with counts and sketches, of which 50 are dense. */
import { Rollup } from "../../../processors/model/rollup.ts";
import { CODED_LENGTH, readCoded } from "../../../processors/sketches/ans.ts";
import { ByteReader, ByteWriter } from "../../../processors/sketches/bytes.ts";
import type { UltraLogLog } from "../../../processors/sketches/ultraloglog.ts";
import { pack, unpack } from "../../../processors/stores/packing.ts";
import { Random } from "../../kit/random.ts";
import type { Benchmark } from "../benchmark.ts";
import { cpuMs, exactly, sideBySide } from "../measure.ts";

const ROWS = 2_000;
const DENSE = 50;

/** Rows as Zipf's law has them: a few pages with thousands of visitors, most with a handful. */
function makeRollup(seed: number): Rollup {
  const random = new Random(seed);
  const rollup = new Rollup();
  for (let i = 0; i < ROWS; i++) {
    const row = rollup.row("event:page", `/products/${random.hex(1)}/item-${i}`)!;
    const visitors =
      i < DENSE ? 2_000 + random.below(5_000) : 1 + random.below(Math.ceil(20_000 / (i + 1)) + 2);
    for (let v = 0; v < visitors; v++) row.addVisitor(random.uint32(), random.uint32());
    row.events = visitors * 2 + random.below(50);
    row.pageviews = visitors + random.below(50);
    row.visits = visitors;
    row.engagedMs = visitors * random.below(60_000);
  }
  return rollup;
}

/** As in an item of a minute or hour. */
const stored = (rollup: Rollup): Uint8Array => {
  const writer = new ByteWriter(4096);
  rollup.encodeColumnsTo(writer);
  return writer.finish();
};

/** A sketch as one has it without a code for its registers: a byte each. */
function plain(sketch: UltraLogLog): Uint8Array {
  const writer = new ByteWriter();
  sketch.encode(writer);
  if (sketch.isExact) return writer.finish();
  const registers = new Uint8Array(CODED_LENGTH);
  readCoded(new ByteReader(writer.finish().subarray(1)), registers);
  return registers;
}

/** The same rows as JSON: values and numbers, with the sketches in base64. */
function jsonRows(rollup: Rollup): unknown[] {
  return [...rollup.table("event:page")!].map(([value, row]) => {
    const sketch = Buffer.from(plain(row.visitors!)).toString("base64");
    return [value, row.events, row.pageviews, row.visits, row.engagedMs, sketch];
  });
}

const bytes: Benchmark = {
  id: "rollup-bytes",
  what: `stored bytes of a rollup of ${ROWS.toLocaleString("en-US")} rows with sketches`,
  against: "the same as JSON rows",
  unit: "B",
  better: "lower",
  floor: 0.36,
  aim: 0.33,
  async run({ seed }) {
    const rollup = makeRollup(seed);
    return exactly(pack(stored(rollup)).length, JSON.stringify(jsonRows(rollup)).length);
  },
};

const time: Benchmark = {
  id: "rollup-time",
  what: "the same: encode, pack, unpack and decode every row, ms of processor",
  against: "JSON.stringify and JSON.parse of the rows",
  unit: "ms",
  better: "lower",
  floor: 2,
  aim: 1,
  async run({ budgetMs, seed }) {
    const rollup = makeRollup(seed);
    const rows = jsonRows(rollup);
    const ROUNDS = 20;
    return sideBySide(
      {
        async subject() {
          const ms = await cpuMs(() => {
            for (let i = 0; i < ROUNDS; i++) {
              const decoded = Rollup.decode(unpack(pack(stored(rollup))));
              if (decoded.table("event:page")!.size !== ROWS) throw new Error("rows are missing");
            }
          });
          return ms / ROUNDS;
        },
        async baseline() {
          const ms = await cpuMs(() => {
            for (let i = 0; i < ROUNDS; i++)
              if ((JSON.parse(JSON.stringify(rows)) as unknown[]).length !== ROWS)
                throw new Error("rows are missing");
          });
          return ms / ROUNDS;
        },
      },
      budgetMs,
    );
  },
};

export const benchmarks: readonly Benchmark[] = [bytes, time];
