import { Agent, request } from "node:http";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { metrics, type Post, post, postLanes, query } from "../kit/client.ts";
import { Random } from "../kit/random.ts";
import { poll, type ServerProcess, startServer } from "../kit/server.ts";
import { temporaryDirectory } from "../kit/temporary.ts";

const SITE = "example.com";
const SEED = Number(process.env.RIVULET_SEED ?? 5);
const BODIES = 1_000;
const CONNECTIONS = 8;
const HUMAN = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0";

interface Bad extends Post {
  readonly kind: string;
  readonly status: number;
  /** Counted in /metrics, once for each refused event or unreadable body. */
  readonly rejects: Readonly<Record<string, number>>;
}

type Make = (random: Random, number: number) => Omit<Bad, "kind">;
const RIVULET = "/v1/events";
const PLAUSIBLE = "/api/event";
const TEXT = { "Content-Type": "text/plain", "User-Agent": HUMAN };
const JSON_TYPE = { "Content-Type": "application/json", "User-Agent": HUMAN };
const types = (random: Random) =>
  random.pick([TEXT, JSON_TYPE, { ...TEXT, "Content-Type": "text/plain;charset=UTF-8" }]);

const good = (number: number) => ({
  s: SITE,
  b: `good-${number}`,
  c: { u: "https://example.com/안녕?utm_source=x", l: "ko-KR" },
  e: [{ n: "pageview" }, { n: "signup", p: { plan: "pro" } }],
});
const plausible = { n: "pageview", u: "https://example.com/", d: SITE };

const refused =
  (make: (random: Random) => Pick<Post, "body"> & Partial<Post>, status = 400, reason = "malformed"): Make =>
  (random) => ({
    path: random.pick([RIVULET, PLAUSIBLE]),
    headers: types(random),
    ...make(random),
    status,
    rejects: { [reason]: 1 },
  });

/** A batch that is taken, and of which one event is then refused for the reason given. */
const refusedEvent =
  (reason: string, make: (random: Random) => Record<string, unknown>): Make =>
  (random, number) => ({
    path: RIVULET,
    headers: types(random),
    body: JSON.stringify({ ...good(number), b: `bad-${number}`, e: [{ n: "pageview", ...make(random) }] }),
    status: 204,
    rejects: { [reason]: 1 },
  });

const refusedPlausible =
  (reason: string, change: Record<string, unknown>): Make =>
  (random) => ({
    path: PLAUSIBLE,
    headers: types(random),
    body: JSON.stringify({ ...plausible, ...change }),
    status: 202,
    rejects: { [reason]: 1 },
  });

const KINDS: Readonly<Record<string, Make>> = {
  "cut off": refused((random) => {
    const bytes = Buffer.from(JSON.stringify(good(0)));
    return { body: bytes.subarray(0, random.below(bytes.length)) };
  }),
  "text after the end": refused((random) => ({
    body: JSON.stringify(good(0)) + random.pick(["}", "]", "x", "\u0000", ",{}"]),
  })),
  "no UTF-8": refused((random) => {
    const bytes = Buffer.from(JSON.stringify(good(0)));
    bytes[random.below(bytes.length)] = random.pick([0xff, 0xc0, 0xfe]);
    return { body: bytes };
  }),
  "UTF-16": refused(() => ({ body: Buffer.from(JSON.stringify(good(0)), "utf16le") })),
  noise: refused((random) => ({
    // The first byte alone already keeps it from being JSON.
    body: Buffer.from([0x01, ...Array.from({ length: random.below(2_000) }, () => random.below(256))]),
  })),
  "no object": refused((random) => ({ body: random.pick(["1", "null", '"s"', "[]", "true", "1e999"]) })),
  nothing: refused(() => ({ body: "" })),
  nested: refused((random) => ({ body: "[".repeat(1 + random.below(100_000)) })),
  "required fields of a wrong type": refused((random) => ({
    path: RIVULET,
    body: JSON.stringify(
      random.pick([
        { s: 7, e: [] },
        { s: SITE },
        { e: [{ n: "pageview" }] },
        { s: SITE, e: { n: "pageview" } },
        { s: null, e: null },
        { ...good(0), e: "pageview" },
      ]),
    ),
  })),
  "required fields of a wrong type, Plausible": refused((random) => ({
    path: PLAUSIBLE,
    body: JSON.stringify(
      random.pick([
        { ...plausible, n: 1 },
        { ...plausible, u: {} },
        { ...plausible, d: [] },
        { n: "pageview", u: plausible.u },
        { d: SITE, u: plausible.u },
      ]),
    ),
  })),
  "a foreign type": refused(
    (random) => ({
      headers: {
        "User-Agent": HUMAN,
        "Content-Type": random.pick([
          "application/x-www-form-urlencoded",
          "multipart/form-data; boundary=x",
          "text/html",
          "text/plain;charset=latin1",
          "application/json-seq",
        ]),
      },
      body: JSON.stringify(good(0)),
    }),
    415,
  ),
  compressed: refused(
    (random) => ({
      headers: { ...types(random), "Content-Encoding": random.pick(["gzip", "br", "deflate", "zstd"]) },
      body: gzipSync(JSON.stringify(good(0))),
    }),
    415,
  ),
  "compressed without saying so": refused(() => ({ body: gzipSync(JSON.stringify(good(0))) })),
  "over 256 KiB": refused(
    (random) => ({
      headers: { ...types(random), ...(random.chance(0.5) ? { "Transfer-Encoding": "chunked" } : {}) },
      body: JSON.stringify({ ...good(0), x: "x".repeat(256 * 1024 + random.below(200_000)) }),
    }),
    413,
    "too_large",
  ),
  "an unknown site": (random, number) => ({
    path: RIVULET,
    headers: types(random),
    body: JSON.stringify({ ...good(number), s: `unknown-${number}` }),
    status: 204,
    rejects: { unknown_site: 2 },
  }),
  "an unknown site, Plausible": refusedPlausible("unknown_site", { d: "unknown.example" }),
  "a robot": (_, number) => ({
    path: RIVULET,
    headers: {
      ...TEXT,
      "User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    },
    body: JSON.stringify({ ...good(number), b: `bot-${number}` }),
    status: 204,
    rejects: { bot: 2 },
  }),
  "a batch id of a wrong type": refused1((random) => ({ b: random.pick([1, {}, [], true]) })),
  "a context of a wrong type": refused1((random) => ({ c: random.pick([1, "x", [], true]) })),
  "no events": refused1(() => ({ e: [] })),
  "too many events": refused1(() => ({ e: Array.from({ length: 1_001 }, () => ({ n: "x" })) }), "too_large"),
  "an event that is none": refusedEventItself((random) => random.pick([1, null, "pageview", [], true])),
  "no URL": refusedEvent("invalid_url", (random) => ({
    u: random.pick(["", "javascript:1", "ftp://x/", "///"]),
  })),
  "no name": refusedEvent("invalid_name", (random) => ({ n: random.pick(["", "  ", "a\u0007b"]) })),
  "a name too long": refusedEvent("too_large", () => ({ n: "x".repeat(121) })),
  "no time": refusedEvent("malformed", (random) => ({ t: random.pick(["now", {}, 1e300, true]) })),
  "the future": refusedEvent("from_future", () => ({ t: Date.now() + 3_600_000 })),
  "long ago": refusedEvent("too_old", () => ({ t: Date.now() - 8 * 86_400_000 })),
  "nested properties": refusedEvent("invalid_props", (random) => ({
    p: random.pick([{ a: {} }, { a: [1] }, [], "x"]),
  })),
  "no money": refusedEvent("invalid_revenue", (random) => ({
    $: random.pick([
      { amount: "1e5", currency: "USD" },
      { amount: 1, currency: "XXX" },
      { amount: 1 },
      "1 USD",
      { amount: null, currency: "EUR" },
    ]),
  })),
  "no money, Plausible": refusedPlausible("invalid_revenue", { $: { amount: 1, currency: "dollars" } }),
  "no URL, Plausible": refusedPlausible("invalid_url", { u: "not a url" }),
};

/** Taken at the door, refused as a whole behind it. */
function refused1(change: (random: Random) => Record<string, unknown>, reason = "malformed"): Make {
  return (random, number) => ({
    path: RIVULET,
    headers: types(random),
    body: JSON.stringify({ ...good(number), b: `bad-${number}`, ...change(random) }),
    status: 204,
    rejects: { [reason]: 1 },
  });
}

function refusedEventItself(make: (random: Random) => unknown): Make {
  return (random, number) => ({
    path: RIVULET,
    headers: types(random),
    body: JSON.stringify({ ...good(number), b: `bad-${number}`, e: [make(random)] }),
    status: 204,
    rejects: { malformed: 1 },
  });
}

const data = temporaryDirectory();
let server: ServerProcess;
beforeAll(async () => {
  server = await startServer({ data, args: ["--site", SITE] });
});
afterAll(async () => {
  await server?.stop();
});

const counted = async (): Promise<number> =>
  (await query(server.url, { site_id: SITE, metrics: ["events"], date_range: "7d" })).results[0]
    ?.metrics[0] as number;
const settle = () =>
  poll(async () => (await metrics(server.url)).get("rivulet_lag_seconds") === 0, {
    within: 5_000,
    what: "lag 0",
  });

describe(`${BODIES} bodies that are no batches (RIVULET_SEED=${SEED})`, () => {
  const random = new Random(SEED);
  const kinds = Object.keys(KINDS);
  const bodies: Bad[] = Array.from({ length: BODIES }, (_, number) => {
    const kind = kinds[number % kinds.length]!;
    return { kind, ...KINDS[kind]!(random, number) };
  });
  let memoryBefore = 0;

  it("get the status that says what is wrong, and good ones between them still pass", async () => {
    const wrong: string[] = [];
    const item = (number: number): Bad => ({
      kind: "good",
      path: RIVULET,
      headers: TEXT,
      body: JSON.stringify(good(number)),
      status: 204,
      rejects: {},
    });
    const all = bodies.flatMap((bad, number) => (number % 10 === 0 ? [bad, item(number)] : [bad]));
    const lanes = Array.from({ length: CONNECTIONS }, (_, lane) =>
      all.filter((_, i) => i % CONNECTIONS === lane),
    );
    memoryBefore = (await metrics(server.url)).get("process_resident_memory_bytes") ?? 0;
    await postLanes(server.url, lanes, ({ kind, status, path, body }, got) => {
      if (got !== status) wrong.push(`${kind} ${path}: ${got}, not ${status}: ${String(body).slice(0, 100)}`);
    });
    expect(wrong).toEqual([]);
  });

  it("are counted by reason", async () => {
    await settle();
    const expected: Record<string, number> = {};
    for (const { rejects } of bodies)
      for (const [reason, count] of Object.entries(rejects))
        expected[reason] = (expected[reason] ?? 0) + count;
    const samples = await metrics(server.url);
    const found = Object.fromEntries(
      Object.keys(expected).map((reason) => [
        reason,
        samples.get(`rivulet_rejects_total{reason="${reason}"}`),
      ]),
    );
    expect(found).toEqual(expected);
  });

  it("count for nothing, and what was good is counted", async () => {
    expect(await counted()).toBe((2 * BODIES) / 10);
  });

  it("survives senders that go away in the middle", async () => {
    const before = (await metrics(server.url)).get("rivulet_records_total");
    await Promise.all(
      Array.from(
        { length: 50 },
        (_, i) =>
          new Promise<void>((resolve) => {
            const sending = request(new URL(RIVULET, server.url), {
              method: "POST",
              headers: { ...TEXT, "Content-Length": "5000" },
            });
            sending.on("error", () => resolve()).on("close", () => resolve());
            sending.write(JSON.stringify(good(i)).slice(0, 20 + i), () => sending.destroy());
          }),
      ),
    );
    const agent = new Agent();
    const sent = { path: RIVULET, headers: TEXT, body: JSON.stringify(good(100_000)) };
    expect(await post(agent, server.url, sent)).toBe(204);
    agent.destroy();
    await settle();
    expect((await metrics(server.url)).get("rivulet_records_total")).toBe((before ?? 0) + 1);
    expect(await counted()).toBe((2 * BODIES) / 10 + 2);
  });

  it("costs no lasting memory and prints nothing but what an operator needs", async () => {
    const grown = ((await metrics(server.url)).get("process_resident_memory_bytes") ?? 0) - memoryBefore;
    console.log(`resident memory grew by ${(grown / 2 ** 20).toFixed(0)} MB`);
    expect(grown).toBeLessThan(150 * 2 ** 20);
    expect(server.output()).not.toMatch(/\bat .*:\d+:\d+/);
  });
});
