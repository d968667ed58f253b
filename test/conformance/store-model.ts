/** The store port as a plain Map, and random operations to compare a driver with it. */
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { expect } from "vitest";
import type { Store } from "../../processors/stores/store.ts";
import type { ManualClock } from "../kit/clock.ts";
import { freshPartition } from "./values.ts";

interface ModelItem {
  version: number;
  value: string;
  expiresAt?: number;
}

const sk = fc.constantFrom("a", "a0", "b", "é", "～", "😀");
const bound = fc.option(sk, { nil: undefined });
const operation = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("put" as const),
      sk,
      /** Added to the true version: mostly right, sometimes one off. */
      drift: fc.constantFrom(0, 0, 0, 1, -1),
      length: fc.constantFrom(0, 3, 200),
      livesMs: fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("get" as const), sk }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("getMany" as const), sks: fc.array(sk, { maxLength: 8 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("list" as const),
      from: bound,
      to: bound,
      limit: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
      reverse: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("delete" as const), sks: fc.array(sk, { maxLength: 3 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 40 }) }),
  },
);

const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const given = <T extends object>(fields: T): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;

/** One property run: up to 30 operations on one fresh partition, every answer compared with the model's. */
export function checkAgainstModel(store: () => Store, clock: ManualClock) {
  return fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 30 }), async (operations) => {
    const pk = freshPartition();
    const model = new Map<string, ModelItem>();
    const live = (key: string) => {
      const item = model.get(key);
      return item && (item.expiresAt === undefined || item.expiresAt > clock.now()) ? item : undefined;
    };
    const shown = (key: string) => {
      const item = live(key);
      return item && given({ pk, sk: key, ...item, value: Buffer.from(item.value).toString("hex") });
    };
    const seen = (item: Awaited<ReturnType<Store["get"]>>) =>
      item && { ...item, value: Buffer.from(item.value).toString("hex") };
    let writes = 0;
    for (const op of operations) {
      if (op.do === "put") {
        const truth = live(op.sk)?.version ?? 0;
        const expected = Math.max(0, truth + op.drift);
        const value = String(writes++).padEnd(op.length, "x");
        const expiresAt = op.livesMs === undefined ? undefined : clock.now() + op.livesMs;
        const item = given({ pk, sk: op.sk, value: new TextEncoder().encode(value), expiresAt });
        expect(await store().put(item as Parameters<Store["put"]>[0], expected)).toBe(expected === truth);
        if (expected !== truth) continue;
        const hidden = live(op.sk) ? 0 : (model.get(op.sk)?.version ?? 0);
        const version = (await store().get({ pk, sk: op.sk }))?.version ?? -1;
        // Over an expired item the version goes on from there, or from 0 if it had already been deleted for good.
        expect(hidden > 0 ? [hidden + 1, 1] : [truth + 1]).toContain(version);
        model.set(op.sk, given({ version, value, expiresAt }) as ModelItem);
      } else if (op.do === "get") {
        expect(seen(await store().get({ pk, sk: op.sk }))).toEqual(shown(op.sk));
      } else if (op.do === "getMany") {
        const found = await store().getMany(op.sks.map((key) => ({ pk, sk: key })));
        expect(found.map(seen)).toEqual(op.sks.map(shown));
      } else if (op.do === "list") {
        const { from, to, limit, reverse } = op;
        const keys = [...model.keys()]
          .filter((key) => live(key) !== undefined)
          .filter(
            (key) =>
              (from === undefined || byBytes(key, from) >= 0) && (to === undefined || byBytes(key, to) < 0),
          )
          .toSorted((a, b) => (reverse ? byBytes(b, a) : byBytes(a, b)))
          .slice(0, limit);
        const range = given({ from, to, limit, reverse }) as NonNullable<Parameters<Store["list"]>[1]>;
        expect((await store().list(pk, range)).map(seen)).toEqual(keys.map(shown));
      } else if (op.do === "delete") {
        await store().delete(op.sks.map((key) => ({ pk, sk: key })));
        for (const key of op.sks) model.delete(key);
      } else {
        clock.advance(op.ms);
      }
    }
  });
}
