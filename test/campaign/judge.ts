/**
 * What must hold of a schedule: every answer holds a prefix of each shard, never less than what was answered or
 * acknowledged before, and says of it what the oracle says; and in the end everything is counted once, byte for byte.
 */
import { Rollup } from "../../processors/model/rollup.ts";
import { type Clock, DAY_MS, type EpochMs } from "../../processors/model/time.ts";
import { QueryEngine } from "../../processors/pipeline/query/engine.ts";
import type { RollupReader } from "../../processors/pipeline/query/reader.ts";
import type { Metric } from "../../processors/pipeline/query/request.ts";
import { listSites } from "../../processors/pipeline/sites.ts";
import { loadState } from "../../processors/pipeline/snapshots.ts";
import { newCounters } from "../../processors/pipeline/state.ts";
import type { Store } from "../../processors/stores/store.ts";
import { compareSequences, type Stream, type StreamRecord } from "../../processors/streams/stream.ts";
import type { ManualClock } from "../kit/clock.ts";
import { metricOf, newTally, Oracle } from "../kit/oracle.ts";
import { hexOf } from "../kit/rollups.ts";
import { type Calm, rollupsOf } from "./calm.ts";
import { timesCounted, type World } from "./world.ts";

/** A law that was broken, in words. */
export class Broken extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Broken";
  }
}

/** What a reader may ask; the revenue of its rows adds up to that of all events. */
export const QUESTIONS = [
  undefined,
  "event:page",
  "visit:entry_page",
  "time:hour",
  "time:day",
  "event:name",
  "visit:device",
] as const;
export type Question = (typeof QUESTIONS)[number];

const METRICS: readonly Metric[] = ["visitors", "visits", "pageviews", "events", "total_revenue"];
const VISIT_METRICS: readonly Metric[] = ["bounce_rate", "visit_duration", "views_per_visit", "engaged_time"];
const metricsFor = (question: Question): readonly Metric[] =>
  question?.startsWith("event:") ? METRICS : [...METRICS, ...VISIT_METRICS];

export class Judge {
  readonly #world: World;
  readonly #calm: Calm;
  readonly #stream: Stream;
  /** Batches that an answer or an acknowledgement has promised. */
  readonly #floor = new Set<number>();
  readonly #known = new Map<string, number>();

  /** `stream` is the one behind all faults. */
  constructor(calm: Calm, stream: Stream) {
    this.#world = calm.world;
    this.#calm = calm;
    this.#stream = stream;
  }

  /** What may not be missing from an answer that is asked for from now on. */
  promised(): ReadonlySet<number> {
    return new Set(this.#floor);
  }

  /** A worker said that these records are durable. */
  acknowledge(records: readonly StreamRecord[]): void {
    for (const record of records) {
      const batch = this.#batchOf(record);
      if (batch !== undefined) this.#floor.add(batch);
    }
  }

  /** A worker said that everything in its shard up to `sequence` is in the log: the stream may forget it. */
  async acknowledgeThrough(shard: string, sequence: string): Promise<void> {
    if (sequence === "") return;
    const { records } = await this.#stream.read(shard, "", 10_000);
    this.acknowledge(records.filter((record) => compareSequences(record.sequence, sequence) <= 0));
  }

  #batchOf(record: StreamRecord): number | undefined {
    let batch = this.#known.get(record.sequence);
    if (batch === undefined) {
      batch = this.#world.batchOf.get(new TextDecoder().decode(record.data)) ?? -1;
      this.#known.set(record.sequence, batch);
    }
    return batch < 0 ? undefined : batch;
  }

  /** Asks through the engine, and compares with the oracle. */
  async ask(engine: QueryEngine, site: string, question: Question, clock: Clock): Promise<void> {
    const askedAt = clock.now();
    const promised = this.promised();
    const { from, to } = this.#world;
    const metrics = metricsFor(question);
    const { results } = await engine.query({
      site_id: site,
      metrics,
      date_range: [from, to].map((at) => new Date(at).toISOString().slice(0, 10)),
      dimensions: question ? [question] : [],
    });
    // An answer is as of when it was asked for; what happened days later, while its reader slept, is not in it.
    if (clock.now() - askedAt > DAY_MS) return;
    const what = `${site} by ${question ?? "nothing"}`;
    const revenue = metrics.indexOf("total_revenue");
    let cents = 0;
    for (const { metrics: values } of results)
      cents += Math.round(((values[revenue] as { value: number } | null)?.value ?? 0) * 100);
    const counted = await this.#counted(site, cents, promised, what);

    const oracle = this.#calm.oracle(counted);
    const zone = this.#world.sites.find(({ id }) => id === site)!.timeZone;
    const isTime = question?.startsWith("time:");
    const rows = oracle.tally({
      site,
      from: 0,
      to: Number.POSITIVE_INFINITY,
      ...(question && !isTime ? { dimension: question } : {}),
      ...(isTime ? { bucketOf: bucket(question!, zone) } : {}),
    });
    if (!question && rows.size === 0) rows.set('["",""]', newTally());
    const expected = [...rows].map(([key, row]) => {
      const [label, value] = JSON.parse(key) as [string, string];
      const name = question ? [isTime ? label : value] : [];
      return `${name} ${JSON.stringify(metrics.map((metric) => metricOf(metric, row, row, 0)))}`;
    });
    const answered = results.map(
      ({ dimensions, metrics: values }) => `${dimensions} ${JSON.stringify(values.map(plain))}`,
    );
    same(answered.sort(), expected.map((text) => text).sort(), `${what}, of batches ${counted}`);
  }

  /** Reads every table of a site at once, and compares with the bytes of those batches folded in peace. */
  async read(reader: RollupReader, store: Store, site: string): Promise<void> {
    const promised = this.promised();
    const registered = (await listSites(store)).find(({ id }) => id === site)!;
    const { from, to } = this.#world;
    const range = { from: from - (from % DAY_MS), to: to - (to % DAY_MS) };
    const names = await this.#calm.dimensions(site);
    const wanted = names.map((table) => ({
      key: JSON.stringify([site, table]),
      range,
      table,
      keep: () => true,
    }));
    const { cells, tables } = await reader.read(registered, range, "hour", wanted);
    const all = new Rollup();
    for (const { totals, late } of cells) {
      all.totals.merge(totals);
      all.late += late;
    }
    for (const [i, { rows }] of tables.entries())
      for (const [value, { whole }] of rows) all.row(names[i]!, value)!.merge(whole);
    const counted = await this.#counted(
      site,
      all.totals.revenue?.get("USD")?.minor ?? 0,
      promised,
      `the rollups of ${site}`,
    );
    all.rejects.clear();
    if (hexOf(all) !== (await this.#calm.folded(site, counted)))
      throw new Broken(`the rollups of ${site} differ from those of batches ${counted}`);
  }

  /** The batches in a sum of cents, if they are what a reader may see. */
  async #counted(
    site: string,
    cents: number,
    promised: ReadonlySet<number>,
    what: string,
  ): Promise<number[]> {
    const { batches } = this.#world;
    const times = timesCounted(cents, batches.length);
    const counted = [...times.keys()].filter((batch) => times[batch]! > 0);
    const twice = counted.filter((batch) => times[batch] !== 1);
    if (twice.length > 0)
      throw new Broken(`${what}: batches ${twice} are counted ${twice.map((batch) => times[batch])} times`);
    const own = (batch: number): boolean => batches[batch]!.site === site;
    const missing = [...promised].filter((batch) => own(batch) && times[batch] === 0);
    if (missing.length > 0)
      throw new Broken(`${what}: batches ${missing} were answered or acknowledged before and are missing`);
    for (const { id, order, before } of await this.#orders()) {
      const here = order.filter(own);
      const gap = here.findIndex((batch) => times[batch] === 0);
      const beyond = gap < 0 ? [] : here.slice(gap).filter((batch) => times[batch]! > 0);
      if (beyond.length > 0)
        throw new Broken(`${what}: ${beyond} of ${id} are counted without ${here[gap]} before them`);
      const skipped = before.filter((batch) => own(batch) && times[batch] === 0);
      if (skipped.length > 0 && here.some((batch) => times[batch]! > 0))
        throw new Broken(`${what}: batches of ${id} are counted without ${skipped} of its parents`);
    }
    for (const batch of counted) this.#floor.add(batch);
    return counted;
  }

  /** The batches that are new in each shard, in order, and those of its ancestors. */
  async #orders(): Promise<{ id: string; order: number[]; before: number[] }[]> {
    const orders = new Map<string, { id: string; order: number[]; before: number[] }>();
    for (const { id, parents } of await this.#stream.shards()) {
      const before = new Set<number>();
      for (const parent of parents.map((it) => orders.get(it)))
        for (const batch of [...(parent?.before ?? []), ...(parent?.order ?? [])]) before.add(batch);
      const order = new Set<number>();
      for (const record of (await this.#stream.read(id, "", 10_000)).records) {
        const batch = this.#batchOf(record);
        if (batch !== undefined && !before.has(batch)) order.add(batch);
      }
      orders.set(id, { id, order: [...order], before: [...before] });
    }
    return [...orders.values()];
  }

  /** When all records are processed and compacted: everything once, the same bytes, the same counters. */
  async end(
    store: Store,
    clock: ManualClock,
    questions: readonly Question[],
    hasSameBytes: boolean,
  ): Promise<void> {
    const { batches, sites } = this.#world;
    for (const batch of batches.keys()) this.#floor.add(batch);
    const engine = new QueryEngine({ store, clock });
    for (const { id } of sites) for (const question of questions) await this.ask(engine, id, question, clock);
    if (hasSameBytes) {
      const rollups = await this.#calm.rollups();
      const found = await rollupsOf(store, this.#world);
      const differing = [...new Set([...rollups.keys(), ...found.keys()])].filter(
        (key) => rollups.get(key) !== found.get(key),
      );
      if (differing.length > 0)
        throw new Broken(`rollups differ from those of a calm run: ${differing.join(", ")}`);
    }
    const total = newCounters();
    const lines = [];
    for (const { id } of await this.#stream.shards()) {
      const { records } = await this.#stream.read(id, "", 10_000);
      lines.push(...records);
      const counters = (await loadState(store, id))?.state.counters ?? newCounters();
      for (const name of ["records", "batches", "events", "late"] as const) total[name] += counters[name];
      for (const [reason, count] of Object.entries(counters.rejects))
        total.rejects[reason] = (total.rejects[reason] ?? 0) + count;
    }
    const text = new TextDecoder();
    const oracle = new Oracle(
      lines.map(({ data, arrivalAt }) => ({ arrival: arrivalAt, envelope: JSON.parse(text.decode(data)) })),
      { sites: sites.map(({ id }) => id) },
    );
    same([canonical(total)], [canonical(oracle.counters)], "counters");
  }
}

/** What a currency's amount says beside its value does not matter here. */
const plain = (value: unknown): unknown =>
  typeof value === "object" && value !== null
    ? { currency: (value as { currency: string }).currency, value: (value as { value: number }).value }
    : value;

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, it) =>
    it && typeof it === "object"
      ? Object.fromEntries(Object.entries(it).sort(([a], [b]) => (a < b ? -1 : 1)))
      : it,
  );

function same(actual: readonly string[], expected: readonly string[], what: string): void {
  const [extra, missing] = [
    actual.filter((row) => !expected.includes(row)),
    expected.filter((row) => !actual.includes(row)),
  ];
  if (extra.length + missing.length > 0)
    throw new Broken(`${what}: answered ${extra.join(" ")}, the oracle says ${missing.join(" ")}`);
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Labels by the platform's own calendar, not by the code under test. */
function bucket(question: string, timeZone: string): (at: EpochMs) => string {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
    formats.set(timeZone, format);
  }
  const local = format;
  return (at) =>
    question === "time:day" ? local.format(at).slice(0, 10) : `${local.format(at).slice(0, 13)}:00:00`;
}
