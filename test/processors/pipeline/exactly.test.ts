/** The law: however records are batched, repeated, delayed or replayed after a crash, the rollups are the same bytes. */
import { describe, expect, it } from "vitest";
import { generate } from "../../kit/generate.ts";
import { Random } from "../../kit/random.ts";
import { type ReplayOptions, replay } from "../../kit/replay.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_260_101);
const SCHEDULES = 200;
const from = Date.UTC(2026, 2, 9, 22, 30);
const lines = [
  ...generate({
    seed: SEED,
    from,
    to: from + 3 * 3_600_000,
    events: 140,
    sites: ["shop", "blog"],
    pages: 12,
  }),
];

describe(`replay of ${lines.length} records (RIVULET_SEED=${SEED})`, () => {
  it(`gives byte-identical rollups under ${SCHEDULES} random schedules of batches, repeats, delays and crashes`, async () => {
    const expected = await (await replay(lines)).rollups();
    expect(expected.size).toBeGreaterThan(30);
    for (let number = 0; number < SCHEDULES; number++) {
      const random = Random.of(SEED, number);
      const options: ReplayOptions = {
        seed: SEED + number,
        duplicates: random.pick([0, 0.2]),
        shuffle: random.pick([0, 5_000, 60_000]),
        lateBy: random.pick([0, 600_000]),
        ...(random.chance(0.7) ? { crashAt: "random" as const } : {}),
      };
      const rollups = await (await replay(lines, options)).rollups();
      expect(
        differences(expected, rollups),
        `RIVULET_SEED=${SEED}, schedule ${number}: ${JSON.stringify(options)}`,
      ).toEqual([]);
    }
  }, 300_000);
});

/** Keys whose bytes differ; a whole diff of hexadecimal would hide them. */
function differences(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((key) => a.get(key) !== b.get(key));
}
