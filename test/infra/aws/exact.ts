/**
 * The whole way through the cloud's shape with everything going wrong that may: answers from an independent count, at
 * every stage. Traffic is generated; its seed is printed and RIVULET_SEED sets it, RIVULET_ROUNDS how often it is disturbed.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { redrive } from "../../../infra/local/redrive.ts";
import type { StreamLine } from "../../../processors/model/streamfile.ts";
import { awsFailure, type Exchange, type Wire } from "../../conformance/doubles.ts";
import { generate } from "../../kit/generate.ts";
import { lambdaEvent } from "../../kit/lambda/event.ts";
import type { EventSourceMapping } from "../../kit/lambda/mapping.ts";
import { containerPool, type Pool } from "../../kit/lambda/pool.ts";
import { metricOf, newTally, Oracle } from "../../kit/oracle.ts";
import { Random } from "../../kit/random.ts";
import { type Cloud, startCloud } from "./cloud.ts";
import { ask, request } from "./requests.ts";
import type { Json } from "./synth.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_261_123);
const SITE = "shop.example";
const MINUTE = 60_000;
const START = Date.now();
const random = new Random(SEED);
/** Late and repeated batches among them; what would arrive after now is left out. */
const traffic = [
  ...generate({
    seed: SEED,
    from: START - 90 * MINUTE,
    to: START - 5 * MINUTE,
    events: 700,
    sites: [SITE],
    pages: 30,
    duplicates: 0.08,
    late: 0.05,
  }),
].filter(({ arrival }) => arrival <= START);
const RANGE = {
  from: START - (START % MINUTE) - 2 * 24 * 60 * MINUTE,
  to: START - (START % MINUTE) + MINUTE,
};

let cloud: Cloud;
let pool: Pool;
let mapping: EventSourceMapping;
let query: ReturnType<Cloud["start"]>;
let folder: string;
/** By how much the mapping believes that records are older than they are. */
let olderMs = 0;
/** What went into the stream, in the order in which it is counted at last. */
const sent: StreamLine[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rivulet-failures-"));
  cloud = await startCloud({ sites: `${SITE}@Asia/Seoul` });
  pool = containerPool(() => cloud.start("aggregate"), { random, most: 3, coldEvery: 6 });
  query = cloud.start("query");
  let saved = 0;
  mapping = cloud.mapping({
    invoke: (event) => pool.invoke(event),
    clock: { now: () => cloud.clock.now() + olderMs },
    failures: {
      async put(key, body) {
        const path = join(folder, key);
        await mkdir(dirname(path), { recursive: true });
        // Both forms of the payload are read again.
        const content = JSON.parse(body);
        if (saved++ % 2 === 0) content.payload = JSON.parse(content.payload);
        await writeFile(path, JSON.stringify(content));
      },
    },
  });
}, 300_000);
afterAll(async () => {
  await pool?.close();
  await cloud?.close();
  await rm(folder, { recursive: true, force: true });
});

const text = (base64: string): string => Buffer.from(base64, "base64").toString();

/** Sends the next lines of the traffic; answers what went into the stream. */
async function send(count: number): Promise<StreamLine[]> {
  const lines: StreamLine[] = [];
  for (const { arrival, envelope } of traffic.splice(0, count)) {
    const stamped = await cloud.post({
      route: envelope.route,
      body: text(envelope.body64),
      requestId: `request-${random.hex(4)}`,
      at: envelope.at,
      ip: envelope.ip,
      country: envelope.country,
      agent: text(envelope.ua64),
    });
    lines.push({ arrival, envelope: stamped });
  }
  return lines;
}

const drain = (): Promise<void> => mapping.drain((ms) => cloud.clock.advance(ms));

const OF_EVENTS = ["visitors", "visits", "pageviews", "events"];
const OF_VISITS = [...OF_EVENTS, "bounce_rate", "visit_duration", "views_per_visit"];
const QUESTIONS: readonly (readonly [string | undefined, readonly string[]])[] = [
  [undefined, OF_VISITS],
  ["visit:source", OF_VISITS],
  ["visit:country", OF_VISITS],
  ["visit:device", OF_VISITS],
  ["visit:entry_page", OF_VISITS],
  ["event:page", OF_EVENTS],
  ["event:name", OF_EVENTS],
];

/** Every answer of the query function against a count of the envelopes by other means. */
async function compare(when: string, container = query): Promise<void> {
  const oracle = new Oracle(sent, { sites: [SITE] });
  const everybody = oracle.tally({ site: SITE, ...RANGE }).get('["",""]')?.visitors.size ?? 0;
  expect(everybody, "people in the traffic").toBeGreaterThan(20);
  for (const [dimension, metrics] of QUESTIONS) {
    const answer = await container.invoke(
      ask({
        site_id: SITE,
        metrics,
        date_range: [new Date(RANGE.from).toISOString(), new Date(RANGE.to).toISOString()],
        dimensions: dimension ? [dimension] : [],
      }),
    );
    expect(answer, answer.body).toMatchObject({ statusCode: 200 });
    const rows = oracle.tally({ site: SITE, ...RANGE, ...(dimension ? { dimension } : {}) });
    const expected = [...rows].map(([key, row]) => ({
      dimensions: dimension ? [JSON.parse(key)[1]] : [],
      metrics: metrics.map((metric) => metricOf(metric, row, row ?? newTally(), everybody)),
    }));
    const byName = (a: Json, b: Json): number => (a.dimensions[0] < b.dimensions[0] ? -1 : 1);
    const { results } = JSON.parse(answer.body);
    expect(results.toSorted(byName), `${when}: ${dimension ?? "totals"} (RIVULET_SEED=${SEED})`).toEqual(
      expected.toSorted(byName),
    );
  }
}

const FATES = ["outage", "answer lost", "throttled", "request lost"] as const;
/** Requests that an outage swallows: more than the SDK tries again. */
const OUTAGE_REQUESTS = 12;
/** Every so many requests one of the fates, whatever the seed; the random ones come on top. */
const FATE_EVERY = 25;

/** Throttles, loses requests, loses answers, and now and then is not there at all for a while. */
function poisoned(): { wire: Wire; hits: Map<string, number> } {
  const hits = new Map<string, number>();
  let number = 0;
  let awayFor = 0;
  const draw = (): (typeof FATES)[number] | "fine" => {
    if (++number % FATE_EVERY === 0) return FATES[(number / FATE_EVERY - 1) % FATES.length]!;
    return random.chance(0.09) ? random.pick(FATES.slice(1)) : "fine";
  };
  const wire: Wire = async ({ forward }) => {
    if (awayFor > 0) {
      awayFor--;
      return undefined;
    }
    const fate = draw();
    hits.set(fate, (hits.get(fate) ?? 0) + 1);
    switch (fate) {
      case "throttled":
        return awsFailure(400, "ProvisionedThroughputExceededException");
      case "answer lost":
        await forward();
        return undefined;
      case "request lost":
        return undefined;
      case "outage":
        awayFor = OUTAGE_REQUESTS;
        return undefined;
      default:
        return forward();
    }
  };
  return { wire, hits };
}

/** A request that stands on the wire until the test lets it go on. */
function holdFirstCommit(): { held: Promise<Exchange & { release(seen: boolean): void }>; wire: Wire } {
  const isCommit = ({ operation, body }: Exchange): boolean =>
    operation === "UpdateItem" && JSON.parse(body.toString()).Key.pk.S.startsWith("log/");
  const { promise: held, resolve: hold } = Promise.withResolvers<
    Exchange & { release(seen: boolean): void }
  >();
  let isHolding = false;
  const wire: Wire = async (exchange) => {
    if (isHolding || !isCommit(exchange)) return exchange.forward();
    isHolding = true;
    const { promise: goesOn, resolve: release } = Promise.withResolvers<boolean>();
    hold({ ...exchange, release });
    return (await goesOn) ? exchange.forward() : undefined;
  };
  return { held, wire };
}

/** The next batch of some shard that the mapping has not handed over yet. */
async function nextEvent(): Promise<Json> {
  const done = mapping.checkpoints();
  for (const { id } of await cloud.stream.shards()) {
    const { records } = await cloud.stream.read(id, done.get(id) ?? "", 100);
    if (records.length > 0)
      return lambdaEvent(id, records, {
        streamArn: "arn:aws:kinesis:us-east-1:123456789012:stream/rivulet-clicks",
        roleArn: "arn:aws:iam::123456789012:role/function",
      });
  }
  return expect.fail("nothing waits");
}

/** A container whose first commit is held back on its way to the store. Writes stay disturbed until that is taken back. */
async function heldMidWrite() {
  sent.push(...(await send(12)));
  const container = cloud.start("aggregate");
  const { held, wire } = holdFirstCommit();
  cloud.disturb("aggregate", wire);
  const invocation = container.invoke(await nextEvent());
  return { container, invocation, write: await held };
}

const rounds = Number(process.env.RIVULET_ROUNDS ?? 5);
const perRound = Math.floor((traffic.length * 0.6) / (rounds + 2));

describe(`counts through the cloud's shape (RIVULET_SEED=${SEED})`, () => {
  it("are exact while DynamoDB fails at random, warm containers take turns, clocks go on, a shard splits and its children merge", async () => {
    const { wire, hits } = poisoned();
    for (const name of ["aggregate", "compact"] as const) cloud.disturb(name, wire);
    const compact = cloud.start("compact");
    const reshard = new Map([
      [Math.floor(rounds / 3), () => cloud.split("shardId-000000000000")],
      [Math.floor((2 * rounds) / 3), () => cloud.merge("shardId-000000000001", "shardId-000000000002")],
    ]);
    for (let round = 0; round < rounds; round++) {
      sent.push(...(await send(perRound)));
      const change = reshard.get(round);
      if (change) {
        // The backlog is the parents', and their children fill before it is read.
        await change();
        sent.push(...(await send(perRound)));
      }
      if (random.chance(0.3)) cloud.clock.advance(random.between(1, 3) * 45_000);
      await drain();
      // Whatever it was at when it failed, the next minute goes on.
      if (round % 3 === 1) await compact.invoke({}).catch(() => {});
      if (round % 4 === 3) await compare(`after round ${round}`);
    }
    expect([...hits.keys()]).toEqual(expect.arrayContaining([...FATES]));
    expect(mapping.report.failures).toBeGreaterThan(0);
    expect(mapping.report.givenUp).toBe(0);
    expect(pool.started).toBeGreaterThan(1);
    for (const name of ["aggregate", "compact"] as const) cloud.disturb(name, undefined);
    await compare("after a poisoned store");
    expect((await cloud.stream.shards()).map(({ parents }) => parents.length)).toEqual([0, 1, 1, 2]);
    // The rest of the tests has two lanes again.
    await cloud.split("shardId-000000000003");
  }, 300_000);

  it("are exact when a function dies and its write arrives after its successor has committed", async () => {
    const { container: zombie, invocation: dying, write } = await heldMidWrite();
    await zombie.kill();
    await expect(dying).rejects.toThrow("the container ended");
    await drain();
    // The network had it all the time.
    expect(await write.forward()).toMatchObject({ status: 400 });
    write.release(false);
    cloud.disturb("aggregate", undefined);
    await compare("after a late write");
  });

  it("are exact when a function dies and its write arrives before its successor looks", async () => {
    const { container: zombie, invocation: dying, write } = await heldMidWrite();
    await zombie.kill();
    await expect(dying).rejects.toThrow("the container ended");
    expect(await write.forward()).toMatchObject({ status: 200 });
    write.release(false);
    cloud.disturb("aggregate", undefined);
    await drain();
    await compare("after an ambiguous timeout");
  });

  it("are exact when a container freezes in the middle of a write and wakes up minutes later", async () => {
    const { container: sleeper, invocation: sleeping, write } = await heldMidWrite();
    await drain();
    cloud.clock.advance(5 * MINUTE);
    sent.push(...(await send(12)));
    await drain();
    write.release(true);
    await sleeping;
    cloud.disturb("aggregate", undefined);
    await compare("after a thaw");
    // It goes on with what it knows now.
    sent.push(...(await send(6)));
    await sleeper.invoke(await nextEvent());
    await drain();
    await compare("after the sleeper's own batch");
    await sleeper.close();
  });

  it("are restored exactly from the payloads in S3 when batches were given up", async () => {
    cloud.disturb("aggregate", async () => awsFailure(400, "AccessDeniedException"));
    const lost = await send(2);
    await drain();
    cloud.disturb("aggregate", undefined);
    // Not tried even once: the mapping was off for half a day.
    lost.push(...(await send(2)));
    olderMs = 13 * 60 * MINUTE;
    await drain();
    olderMs = 0;
    expect(mapping.report.givenUp).toBe(lost.length);
    await compare("without what was given up");
    const names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((e) => e.isFile());
    const saved = await Promise.all(
      names.map(async ({ parentPath, name }) => JSON.parse(await readFile(join(parentPath, name), "utf8"))),
    );
    const conditions = saved.map(({ requestContext }) => requestContext.condition);
    expect([...new Set(conditions)].toSorted()).toEqual(["RecordAgeExceeded", "RetryAttemptsExhausted"]);
    const ids = saved
      .flatMap(({ payload }) => (typeof payload === "string" ? JSON.parse(payload) : payload).Records)
      .map(({ kinesis }: Json) => JSON.parse(text(kinesis.data)).id);
    expect(ids.toSorted()).toEqual(lost.map(({ envelope }) => envelope.id).toSorted());

    sent.push(...(await send(10)));
    await drain();
    const how = { stream: cloud.stream, log: () => {} };
    expect(await redrive([folder], how)).toMatchObject({ records: lost.length });
    await drain();
    sent.push(...lost);
    await compare("redriven");
    await redrive([folder], how);
    await drain();
    await compare("redriven twice");
  }, 300_000);

  it("say how far they go when traffic stops, and how long a click waits that nobody counts", async () => {
    const compact = cloud.start("compact");
    const live = async (): Promise<{ complete_until: number; lag_ms: number }> =>
      JSON.parse(
        (await query.invoke(request("GET", "/api/v2/live", { queryStringParameters: { site_id: SITE } })))
          .body,
      );
    cloud.clock.advance(10 * MINUTE);
    const before = cloud.clock.now();
    await compact.invoke({});
    const quiet = await live();
    // Less the minute that a batch may take from the browser, and the half that it may take at the edge.
    expect(quiet.complete_until).toBeGreaterThanOrEqual(before - 1.5 * MINUTE);
    expect(quiet.complete_until).toBeLessThan(cloud.clock.now() - MINUTE);

    mapping.pause();
    sent.push(...(await send(1)));
    await compact.invoke({});
    cloud.clock.advance(7 * MINUTE);
    const waiting = await live();
    expect(waiting.lag_ms).toBeGreaterThanOrEqual(7 * MINUTE);
    expect(waiting.complete_until).toBeLessThan(cloud.clock.now() - 8 * MINUTE);
    mapping.resume();
    await drain();
    await compact.invoke({});
    expect((await live()).complete_until).toBeGreaterThan(waiting.complete_until + 5 * MINUTE);
  });

  it("are the same for a cold reader, after compaction, and with all that is left", async () => {
    sent.push(...(await send(traffic.length)));
    await drain();
    await cloud.start("compact").invoke({});
    await compare("compacted");
    await compare("to a cold reader", cloud.start("query"));
    expect(cloud.denied).toEqual([]);
  });
});
