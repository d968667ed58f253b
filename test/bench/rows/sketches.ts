/** The sketch of distinct visitors: how far off, how fast, how large. */
import { ByteWriter } from "../../../processors/sketches/bytes.ts";
import { EXACT_LIMIT, UltraLogLog } from "../../../processors/sketches/ultraloglog.ts";
import { Random } from "../../kit/random.ts";
import type { Benchmark } from "../benchmark.ts";
import { cpuMs, exactly, short, sideBySide } from "../measure.ts";

const SIZES = [100, 1_000, 10_000, 100_000, 1_000_000];
const TRIALS = 100;
/** 6-bit registers in as many bytes as our dense form takes. */
const HYPERLOGLOG_ERROR = 1.04 / Math.sqrt((4_096 * 8) / 6);

const bytesOf = (sketch: UltraLogLog): number => {
  const writer = new ByteWriter();
  sketch.encode(writer);
  return writer.length;
};

const error: Benchmark = {
  id: "sketch-error",
  what: `distinct visitors: root mean square error, worst of ${SIZES.map((size) => size.toExponential(0).replace("+", "")).join(", ")}`,
  against: "1.04/√m, the theory of HyperLogLog with 6-bit registers in equal bytes",
  unit: "%",
  better: "lower",
  floor: 1.05,
  aim: 0.9,
  async run({ budgetMs, seed, note }) {
    const startedAt = performance.now();
    const squares = SIZES.map(() => 0);
    let trials = 0;
    for (; trials < TRIALS && performance.now() - startedAt < 2 * budgetMs; trials++) {
      const random = Random.of(seed, trials);
      const sketch = new UltraLogLog();
      let added = 0;
      for (const [index, size] of SIZES.entries()) {
        for (; added < size; added++) sketch.add(random.uint32(), random.uint32());
        squares[index]! += (sketch.estimate() / size - 1) ** 2;
      }
    }
    const errors = squares.map((sum) => 100 * Math.sqrt(sum / trials));
    note(
      `sketch-error: ${SIZES.map((size, i) => `${short(errors[i]!)} % at ${short(size)}`).join(", ")} (${trials} trials)`,
    );
    return { ...exactly(Math.max(...errors), 100 * HYPERLOGLOG_ERROR), runs: trials };
  },
};

const adds: Benchmark = {
  id: "sketch-adds",
  what: "million hashes added a second to a sketch of up to 100,000",
  against: "8 million a second",
  unit: "million/s",
  better: "higher",
  floor: 1,
  aim: 2,
  async run({ budgetMs, seed }) {
    const random = new Random(seed);
    const hashes = Int32Array.from({ length: 200_000 }, () => random.uint32() | 0);
    return sideBySide(
      {
        async subject() {
          const ms = await cpuMs(() => {
            for (let round = 0; round < 10; round++) {
              const sketch = new UltraLogLog();
              for (let i = 0; i < hashes.length; i += 2) sketch.add(hashes[i]!, hashes[i + 1]!);
              if (sketch.isEmpty) throw new Error("never");
            }
          });
          return hashes.length / 2 / (ms * 100);
        },
        baseline: () => 8,
      },
      budgetMs,
    );
  },
};

const bytes: Benchmark = {
  id: "sketch-bytes",
  what: `bytes for each distinct visitor while counted exactly (up to ${EXACT_LIMIT}), worst of 100, 300 and 1,000`,
  against: "2 bytes",
  unit: "B",
  better: "lower",
  floor: 1,
  aim: 0.75,
  async run({ seed, note }) {
    const sizes = [100, 300, 1_000].map((size) => {
      const random = new Random(seed);
      const sketch = new UltraLogLog();
      for (let i = 0; i < size; i++) sketch.add(random.uint32(), random.uint32());
      return bytesOf(sketch) / size;
    });
    note(
      `sketch-bytes: ${sizes.map(short).join(", ")} bytes. All 32 bits of a hash are kept, so that up to ${EXACT_LIMIT} are counted without error (two that look alike: 1 in 8,200 sketches); 2 bytes would keep 25 bits, and err in one of 65`,
    );
    return exactly(Math.max(...sizes), 2);
  },
};

export const benchmarks: readonly Benchmark[] = [error, adds, bytes];
