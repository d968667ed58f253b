/** The local gateway under a thousand hostile bodies and a hundred connections of noise. */
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { MAX_BODY_BYTES } from "../../../infra/mapping.ts";
import { batch, raw, startGateway } from "./kit.ts";

/** Small and seeded (mulberry32), so that a failure can be run again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface Hostile {
  readonly body: Uint8Array;
  readonly headers?: Record<string, string>;
  readonly status: number;
}

const text = (body: string): Uint8Array => Buffer.from(body, "utf8");
const good = JSON.stringify({ ...batch, note: "Ünïcödé 안녕 👋" });
const goodBytes = text(good);

/** Ways to be wrong; each gives a body that must get exactly `status`. */
const kinds: readonly ((pick: (below: number) => number) => Hostile)[] = [
  // Cut anywhere: JSON that ends early, perhaps inside a character.
  (pick) => ({ body: goodBytes.subarray(0, pick(goodBytes.length)), status: 400 }),
  // Something after the end.
  (pick) => ({ body: text(good + '}]x,"0'[pick(6)]), status: 400 }),
  // Required fields of any wrong type.
  (pick) => ({
    body: text(JSON.stringify({ s: [1, null, true, [], {}, ""][pick(6)], e: [] })),
    status: 400,
  }),
  (pick) => ({
    body: text(JSON.stringify({ s: "a", e: [1, null, true, "x", {}][pick(5)] })),
    status: 400,
  }),
  // JSON, but no object.
  (pick) => ({ body: text(["1", "null", '"s"', "[]", "true", "-0"][pick(6)] as string), status: 400 }),
  // No UTF-8: a byte that may not stand where it stands.
  (pick) => {
    const body = Uint8Array.from(goodBytes);
    body[1 + pick(body.length - 2)] = [0xff, 0xc0, 0xfe, 0xf8][pick(4)] as number;
    return { body, status: 400 };
  },
  () => ({ body: Buffer.from(good, "utf16le"), status: 400 }),
  // Deep nesting and names that mean something to JavaScript.
  (pick) => ({ body: text("[".repeat(1 + pick(50_000))), status: 400 }),
  () => ({ body: text('{"__proto__":{"s":"a","e":[]},"constructor":{"s":"a"}}'), status: 400 }),
  // Encodings and types that nobody speaks here.
  () => ({ body: gzipSync(good), headers: { "content-encoding": "gzip" }, status: 415 }),
  () => ({ body: gzipSync(good), status: 400 }),
  (pick) => ({
    body: goodBytes,
    headers: {
      "content-type": ["image/gif", "text/html", "application/jsonp", "x", "text/plain;charset=latin1"][
        pick(5)
      ] as string,
    },
    status: 415,
  }),
  // Too large by one byte, or by far.
  (pick) => ({ body: new Uint8Array(MAX_BODY_BYTES + 1 + pick(100_000)).fill(0x20), status: 413 }),
];

it("answers 1,000 hostile bodies each with its status, counts each, and stays well", async () => {
  const seed = Number(process.env.SEED ?? 20_260_101);
  const next = random(seed);
  const pick = (below: number) => Math.floor(next() * below);
  const running = await startGateway();
  const expected = { malformed: 0, too_large: 0 };
  const tries = Array.from({ length: 1_000 }, () =>
    (kinds[pick(kinds.length)] as (typeof kinds)[number])(pick),
  );

  const worker = async (): Promise<void> => {
    for (let hostile = tries.pop(); hostile !== undefined; hostile = tries.pop()) {
      const response = await running.post(hostile.body, hostile.headers ?? {});
      const shown = Buffer.from(hostile.body.subarray(0, 80)).toString("latin1");
      expect(response.status, `seed ${seed}: ${shown}`).toBe(hostile.status);
      expect(response.headers.get("access-control-allow-origin")).toBe("*");
      expect(typeof ((await response.json()) as { message: unknown }).message).toBe("string");
      expected[hostile.status === 413 ? "too_large" : "malformed"]++;
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));

  expect(running.records).toHaveLength(0);
  expect(running.rejects.filter((reason) => reason === "malformed")).toHaveLength(expected.malformed);
  expect(running.rejects.filter((reason) => reason === "too_large")).toHaveLength(expected.too_large);
  expect(running.log).toEqual([]);
  for (let i = 0; i < 20; i++) expect((await running.post(good)).status).toBe(204);
  expect(running.records).toHaveLength(20);
  await running.gateway.close();
});

it("survives a hundred connections of noise, and serves the next batch", async () => {
  const seed = Number(process.env.SEED ?? 7);
  const next = random(seed);
  const running = await startGateway();
  const head = `POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: ${goodBytes.length}\r\n\r\n${good}`;
  const noise = Array.from({ length: 100 }, () => {
    const bytes = Buffer.from(head);
    for (let i = 0; i < 5; i++) bytes[Math.floor(next() * 60)] = Math.floor(next() * 256);
    return bytes;
  });
  await Promise.all(noise.map((bytes) => raw(running.port, bytes, 200)));
  const before = running.records.length;
  expect((await running.post(good)).status, `seed ${seed}`).toBe(204);
  expect(running.records).toHaveLength(before + 1);
  expect(running.log).toEqual([]);
  await running.gateway.close();
});
