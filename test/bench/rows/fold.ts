/** The whole of counting on one core: from Kinesis' base64 to the encoded commit, per event. */
import { keyedHash, randomBytes } from "../../../processors/crypto.ts";
import { ShardWorker } from "../../../processors/pipeline/aggregate.ts";
import { registerSites } from "../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import { manualClock } from "../../kit/clock.ts";
import type { Benchmark } from "../benchmark.ts";
import {
  CORPUS_FROM,
  type Corpus,
  EVENTS_PER_BATCH,
  makeCorpus,
  parseLines,
  SITE,
  streamRecord,
} from "../corpus.ts";
import { cpuMs, sideBySide } from "../measure.ts";

/** As Lambda is set to deliver them (infra/aws/aggregation.ts). */
export const RECORDS_A_COMMIT = 1_000;
const COMMITS_A_BLOCK = 4;

/** A worker on an empty store in memory that folds a corpus portion by portion. */
export async function folder(
  corpus: Corpus,
): Promise<{ fold(records: number): Promise<number>; readonly left: number }> {
  const clock = manualClock(CORPUS_FROM);
  const store = memoryStore({ clock });
  await registerSites(store, clock, [{ id: SITE, timeZone: "UTC" }]);
  const worker = new ShardWorker(
    { store, clock, hash: keyedHash, randomBytes, country: () => "" },
    { id: "shard-0", parents: [] },
  );
  let next = 0;
  return {
    get left() {
      return corpus.records.length - next;
    },
    /** Folds the next records into one commit; resolves with how many events it counted. */
    async fold(records) {
      const portion = corpus.records.slice(next, next + records);
      next += portion.length;
      clock.advanceTo(portion.at(-1)!.arrivalAt);
      const { events } = await worker.process(portion.map(streamRecord));
      return events;
    },
  };
}

const fold: Benchmark = {
  id: "fold",
  what: "full aggregation, one core: base64 records of 5 events each to the encoded commit, µs of processor per event",
  against: "JSON.parse of the equal events, one a line",
  unit: "µs",
  better: "lower",
  floor: 1.2,
  aim: 0.6,
  async run({ budgetMs, seed, note }) {
    const blocks = 6;
    const perBlock = COMMITS_A_BLOCK * RECORDS_A_COMMIT * EVENTS_PER_BATCH;
    const corpus = makeCorpus({ seed, events: blocks * perBlock });
    const recordBytes = corpus.records.reduce((sum, { data64 }) => sum + (data64.length * 3) / 4, 0);
    note(
      `fold: ${Math.round(corpus.lines.length / corpus.events)} bytes an event as a JSON line, ${Math.round(recordBytes / corpus.events)} as its share of a record`,
    );
    let worker = await folder(corpus);
    let parsed = 0;
    return sideBySide(
      {
        async subject() {
          if (worker.left < perBlock / EVENTS_PER_BATCH) worker = await folder(corpus);
          let counted = 0;
          const ms = await cpuMs(async () => {
            for (let i = 0; i < COMMITS_A_BLOCK; i++) counted += await worker.fold(RECORDS_A_COMMIT);
          });
          if (counted !== perBlock) throw new Error(`counted ${counted} of ${perBlock} events`);
          return (ms * 1_000) / perBlock;
        },
        async baseline() {
          if (parsed >= corpus.lines.length) parsed = 0;
          const ms = await cpuMs(() => {
            parsed = parseLines(corpus.lines, parsed, perBlock);
          });
          return (ms * 1_000) / perBlock;
        },
      },
      budgetMs,
    );
  },
};

export const benchmarks: readonly Benchmark[] = [fold];
