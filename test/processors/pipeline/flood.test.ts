/**
 * A flood of random addresses into one site: totals stay exact, items and memory stay bounded. RIVULET_FLOOD says how
 * many events (default 100,000; a million take about a minute).
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { MAX_ROWS } from "../../../processors/model/bounds.ts";
import type { WireEvent } from "../../../processors/model/event.ts";
import { compactAll } from "../../../processors/pipeline/compact.ts";
import { encodeJson } from "../../../processors/pipeline/json.ts";
import { Reconciler } from "../../../processors/pipeline/reconcile.ts";
import { memoryStream } from "../../../processors/streams/memory.ts";
import { collected } from "../../kit/collected.ts";
import { Random } from "../../kit/random.ts";
import { HOUR, post, SITE, view } from "./lines.ts";
import { rig } from "./rig.ts";

const EVENTS = Number(process.env.RIVULET_FLOOD ?? 50_000);
const SEED = Number(process.env.RIVULET_SEED ?? 20_260_104);
const PER_BATCH = 100;
/** Every hundredth event is a view of a page that exists. */
const REAL_EVERY = 100;
/** DynamoDB's item; what is larger would be split over several. */
const MAX_ITEM_BYTES = 400_000;

const heapMb = (): number => {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed / 1e6;
};

describe(`${EVENTS} page views of random addresses (RIVULET_SEED=${SEED})`, () => {
  it("leave totals exact, the real page visible, items within their size and memory flat", async () => {
    const { clock, store, worker, engine } = await rig();
    const stream = memoryStream({ clock });
    const [shard] = await stream.shards();
    if (!shard) throw new Error("a stream without shards");
    const counting = worker(shard);
    const reading = engine();
    const reconciler = new Reconciler({ store, stream, clock });
    const random = new Random(SEED);
    const batches = EVENTS / PER_BATCH;
    const byPage = { site_id: SITE, metrics: ["pageviews"], date_range: "day", dimensions: ["event:page"] };
    const heaps: number[] = [];
    let sent = 0;
    for (let batch = 0; batch < batches; batch++) {
      const e: WireEvent[] = Array.from({ length: PER_BATCH }, () =>
        view(
          sent++ % REAL_EVERY === 0
            ? "/real"
            : `/${random.below(2 ** 32).toString(36)}/${random.below(2 ** 32)}`,
        ),
      );
      const line = post({ at: clock.now(), e, b: `b${batch}`, ip: `10.0.${batch % 97}.${batch % 89}` });
      const data = encodeJson(line.envelope);
      await stream.put({ partitionKey: "flood", data });
      clock.advance((3 * HOUR) / batches);
      if (batch % 20 < 19 && batch < batches - 1) continue;
      const { records } = await stream.read(shard.id, await counting.lastSequence(), 1_000);
      await counting.process(records);
      if (batch % 100 === 99 || batch === batches - 1) {
        await reconciler.run();
        await stream.trim(shard.id, reconciler.recounted().get(shard.id) ?? "");
        await compactAll({ store, clock });
        await reading.query(byPage);
      }
      if (batch % Math.ceil(batches / 8) < 20) heaps.push(heapMb() - (await storedMb()));
    }
    async function storedMb(): Promise<number> {
      const log = await store.list(`log/${shard?.id}`);
      return log.reduce((sum, { value }) => sum + value.length, 0) / 1e6;
    }
    await reconciler.run();

    const totals = await reading.query({ ...byPage, dimensions: [] });
    expect(totals.results[0]?.metrics).toEqual([EVENTS]);
    const { portions } = await reading.queryAll(byPage); // an answer holds 10,000 rows, and there are more
    const results = (await collected(portions)).flat();
    expect(results.reduce((sum, { metrics }) => sum + Number(metrics[0]), 0)).toBe(EVENTS);
    const rows = new Map(results.map(({ dimensions, metrics }) => [dimensions[0], metrics[0]]));
    expect(rows.get("/real")).toBe(EVENTS / REAL_EVERY);
    // At most what the windows of a day hold: its hours, and the minutes of those that are not hours yet.
    expect(rows.size).toBeLessThanOrEqual((24 + 60) * (MAX_ROWS + 1));
    expect(reconciler.totals()).toEqual({ events: EVENTS, difference: 0, windows: 0 });

    const largest = async (pk: string): Promise<number> =>
      Math.max(0, ...(await store.list(pk)).map(({ value }) => value.length));
    const sizes = {
      commit: await largest(`log/${shard.id}`),
      minute: await largest(`minute/${SITE}`),
      hour: await largest(`hour/${SITE}`),
      snapshot: await largest(`state/${shard.id}`),
    };
    console.log(`bytes at most: ${JSON.stringify(sizes)}; heap beside the log: ${heaps.map(Math.round)} MB`);
    expect(sizes.commit).toBeLessThan(MAX_ITEM_BYTES);
    expect(sizes.minute).toBeLessThan(MAX_ITEM_BYTES / 2);
    expect(sizes.hour).toBeLessThan(MAX_ITEM_BYTES / 2);
    // Flat: what is kept after half of the flood is kept after all of it.
    expect(heaps.at(-1)! - heaps[Math.floor(heaps.length / 2)]!).toBeLessThan(40);
  }, 300_000);
});
