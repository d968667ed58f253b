import { describe, expect, it } from "vitest";
import { keyedHash } from "../../../processors/crypto.ts";
import { type Decoded, decodeRecord } from "../../../processors/pipeline/decode/record.ts";
import { LatestByDay } from "../../../processors/pipeline/midnight.ts";
import { daysOf, RecordFold } from "../../../processors/pipeline/records.ts";
import { ShardState } from "../../../processors/pipeline/state.ts";
import type { KeyedHash } from "../../../processors/pipeline/visitor.ts";
import { Salts } from "../../../processors/pipeline/visitor.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import { manualClock } from "../../kit/clock.ts";
import { generate } from "../../kit/generate.ts";
import { recordsOf } from "./rig.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_260_310);
const FROM = Date.UTC(2026, 2, 9, 23);
const SITES = new Map([["demo", {}]]);
const PORTION = 20;

const traffic = [
  ...generate({ seed: SEED, from: FROM, to: FROM + 2 * 3_600_000, events: 1_500, visitors: 400, late: 0.1 }),
];
const decoded = recordsOf(traffic).map(decodeRecord);

/** Folds portion by portion from a state; what the commits are, and how many hashes were made. */
async function foldAll(
  records: readonly Decoded[],
  state: ShardState,
  latest?: LatestByDay,
): Promise<{ commits: Buffer[]; hashes: number }> {
  const clock = manualClock(FROM);
  const store = memoryStore({ clock });
  const days = daysOf(records);
  for (const day of days)
    await store.put({ pk: "salt", sk: String(day), value: new TextEncoder().encode(`salt ${day}`) }, 0);
  const salts = new Salts({ store, clock, randomBytes: (length) => new Uint8Array(length) });
  await salts.load(days);
  let hashes = 0;
  const hash: KeyedHash = (key, text) => {
    hashes++;
    return keyedHash(key, text);
  };
  const commits: Buffer[] = [];
  for (let at = 0; at < records.length; at += PORTION) {
    const fold = new RecordFold({ hash, country: () => "" }, state, salts, latest ? { latest } : {});
    for (const record of records.slice(at, at + PORTION)) fold.add(record, SITES);
    commits.push(Buffer.from(fold.encode(FROM)));
    state.apply(fold.change);
  }
  return { commits, hashes };
}

describe(`what is known of midnights (RIVULET_SEED=${SEED})`, () => {
  it("changes no byte of a commit, and saves looking for yesterday's ids", async () => {
    const plain = await foldAll(decoded, new ShardState());
    const state = new ShardState();
    const quick = await foldAll(decoded, state, new LatestByDay(state));
    expect(quick.commits).toEqual(plain.commits);
    expect(quick.hashes).toBeLessThan(plain.hashes);
  });

  it("holds for a state that was read at midnight", async () => {
    const middle = decoded.findIndex(({ envelope }) => envelope!.at > FROM + 3_600_000);
    const known = async (): Promise<ShardState> => {
      const state = new ShardState();
      await foldAll(decoded.slice(0, middle), state);
      return state;
    };
    const rest = decoded.slice(middle);
    const plain = await foldAll(rest, await known());
    const state = await known();
    const quick = await foldAll(rest, state, new LatestByDay(state));
    expect(quick.commits).toEqual(plain.commits);
    // Visits do go on over this midnight: who knew nothing of those before would cut them in two.
    const blind = await foldAll(rest, await known(), new LatestByDay(new ShardState()));
    expect(blind.commits).not.toEqual(plain.commits);
  });
});
