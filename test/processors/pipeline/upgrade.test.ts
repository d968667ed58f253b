/** What earlier versions wrote is read, and counting goes on from it: no event is lost, and none counted twice. */
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Envelope } from "../../../processors/model/envelope.ts";
import { compact } from "../../../processors/pipeline/compact.ts";
import { QueryEngine } from "../../../processors/pipeline/query/engine.ts";
import { STATE_VERSION } from "../../../processors/pipeline/statebytes.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import { count, type Frozen, readFrozen, SITE } from "../../fixtures/upgrade/freeze.ts";
import { type ManualClock, manualClock } from "../../kit/clock.ts";
import { metricOf, Oracle } from "../../kit/oracle.ts";

const names = readdirSync(new URL("../../fixtures/upgrade", import.meta.url))
  .filter((name) => name.endsWith(".json.gz"))
  .map((name) => name.replace(".json.gz", ""));

it("has data of every version of the state that is read", () => {
  const versions = Array.from({ length: STATE_VERSION }, (_, i) => `state-${i + 1}`);
  expect(names).toEqual(expect.arrayContaining(versions));
});

describe.each(names)("data that %s wrote", (name) => {
  const frozen = readFrozen(name);

  it("gives the answers that it gave", async () => {
    const { engine } = await restored(frozen);
    for (const { query, results } of frozen.answers)
      expect((await engine.query(query)).results).toEqual(results);
  });

  it("is gone on from: the same numbers as if it had all been counted by one version", async () => {
    const { store, clock, engine } = await restored(frozen);
    await count(frozen.records, { store, clock, portion: 20 });
    expect(await sums(engine)).toEqual(expected(frozen));
    clock.advance(60 * 60_000);
    await compact({ store, clock });
    expect(await sums(engine)).toEqual(expected(frozen));
  });
});

async function restored({ items, at }: Frozen) {
  const clock: ManualClock = manualClock(at);
  const store = memoryStore({ clock });
  for (const { value, ...item } of items)
    await store.put({ ...item, value: new Uint8Array(Buffer.from(value, "base64")) }, 0);
  return { clock, store, engine: new QueryEngine({ store, clock, lagMs: async () => 0 }) };
}

const METRICS = ["visitors", "visits", "pageviews", "events", "bounce_rate", "visit_duration"] as const;
const DIMENSIONS = [undefined, "event:page", "visit:source", "visit:browser", "event:name"];

/** Of the whole recording, by each of some dimensions: name -> metrics. */
async function sums(engine: QueryEngine): Promise<Map<string, Map<string, readonly unknown[]>>> {
  const found = new Map<string, Map<string, readonly unknown[]>>();
  for (const dimension of DIMENSIONS) {
    const { results } = await engine.query({
      site_id: SITE.id,
      date_range: ["2026-03-21", "2026-03-23"],
      metrics: metricsOf(dimension),
      ...(dimension ? { dimensions: [dimension] } : {}),
    });
    found.set(
      dimension ?? "all",
      new Map(results.map(({ dimensions, metrics }) => [dimensions.join(), metrics])),
    );
  }
  return found;
}

const metricsOf = (dimension: string | undefined): string[] =>
  METRICS.filter(
    (name) => !dimension?.startsWith("event:") || !["bounce_rate", "visit_duration"].includes(name),
  );

/** The same counted from the recording by plain loops, which know no version. */
function expected({ records }: Frozen): Map<string, Map<string, readonly unknown[]>> {
  const lines = records.map(({ arrivalAt, data }) => ({
    arrival: arrivalAt,
    envelope: JSON.parse(data) as Envelope,
  }));
  const oracle = new Oracle(lines, { sites: [SITE.id] });
  const [from, to] = [Date.UTC(2026, 2, 20, 15), Date.UTC(2026, 2, 23, 15)];
  return new Map(
    DIMENSIONS.map((dimension) => {
      const rows = oracle.tally({ site: SITE.id, from, to, ...(dimension ? { dimension } : {}) });
      const named = [...rows].map(([key, row]): [string, unknown[]] => {
        const metrics = metricsOf(dimension).map((metric) => metricOf(metric, row, row, row.visitors.size));
        return [(JSON.parse(key) as string[])[1] ?? "", metrics];
      });
      return [dimension ?? "all", new Map(named)];
    }),
  );
}
