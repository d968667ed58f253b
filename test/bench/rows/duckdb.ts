/** The same counting against DuckDB, which reads the equal JSON lines and groups them seven ways, on one thread. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { Benchmark } from "../benchmark.ts";
import { EVENTS_PER_BATCH, makeCorpus } from "../corpus.ts";
import { cpuMs, sideBySide } from "../measure.ts";
import { folder, RECORDS_A_COMMIT } from "./fold.ts";

/** A minute by itself and by page, referrer, agent, country, language and name: events and about how many visitors. */
const QUERY = `
  SELECT minute, u, r, ua, country, l, n, count(*) AS events, approx_count_distinct(visitor) AS visitors
  FROM (SELECT t // 60000 AS minute, u, r, ua, country, l, n, ip || ua AS visitor
        FROM read_ndjson($1, columns = {t: 'BIGINT', u: 'VARCHAR', r: 'VARCHAR', ua: 'VARCHAR',
                                        ip: 'VARCHAR', country: 'VARCHAR', l: 'VARCHAR', n: 'VARCHAR'}))
  GROUP BY GROUPING SETS ((minute), (minute, u), (minute, r), (minute, ua), (minute, country), (minute, l), (minute, n))`;
const COMMITS_A_BLOCK = 4;

const duckdb: Benchmark = {
  id: "fold-duckdb",
  what: "full aggregation, one core, µs of processor per event",
  against: "DuckDB on the equal events as NDJSON: 7 grouping sets, approximate distinct, one thread",
  unit: "µs",
  better: "lower",
  floor: 1.5,
  aim: 0.8,
  async run({ budgetMs, seed, directory }) {
    const perBlock = COMMITS_A_BLOCK * RECORDS_A_COMMIT * EVENTS_PER_BATCH;
    const corpus = makeCorpus({ seed, events: 4 * perBlock });
    const path = join(directory, "events.ndjson");
    writeFileSync(path, corpus.lines);
    const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
    const connection = await instance.connect();
    let worker = await folder(corpus);
    const measured = await sideBySide(
      {
        async subject() {
          if (worker.left < perBlock / EVENTS_PER_BATCH) worker = await folder(corpus);
          const ms = await cpuMs(async () => {
            for (let i = 0; i < COMMITS_A_BLOCK; i++) await worker.fold(RECORDS_A_COMMIT);
          });
          return (ms * 1_000) / perBlock;
        },
        async baseline() {
          const ms = await cpuMs(async () => {
            const answer = await connection.run(QUERY, [path]);
            if ((await answer.getRows()).length < 1_000) throw new Error("DuckDB grouped too few events");
          });
          return (ms * 1_000) / corpus.events;
        },
      },
      budgetMs,
    );
    connection.closeSync();
    instance.closeSync();
    return measured;
  },
};

export const benchmarks: readonly Benchmark[] = [duckdb];
