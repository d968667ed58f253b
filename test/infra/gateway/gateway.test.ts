/** The local gateway over HTTP: ingest, routes, who is answered, and bad connections. */
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { apiDocument } from "../../../infra/api.ts";
import { type HttpResponse, jsonResponse } from "../../../infra/local/gateway/http.ts";
import { MAX_BODY_BYTES } from "../../../infra/mapping.ts";
import { ClickstreamError } from "../../../processors/errors.ts";
import { patience } from "../../kit/patience.ts";
import { batch, everyFunction, NOW, options, type Running, raw, startGateway, text64 } from "./kit.ts";

const body = JSON.stringify(batch);
let running: Running;
/** What the stream and the functions throw next; undefined lets them work. */
let trouble: unknown;
/** Keeps a put from finishing until it is called. */
let release: (() => void) | undefined;

beforeAll(async () => {
  const answer = (): HttpResponse => {
    if (trouble !== undefined) throw trouble;
    return jsonResponse(200, { ok: true }, { ETag: '"v1"' });
  };
  running = await startGateway({
    allowedHosts: ["ours.example"],
    beforePut: async () => {
      if (trouble !== undefined) throw trouble;
    },
    functions: {
      ...everyFunction(answer),
      query: (request) => {
        running.asked.push(request);
        return answer();
      },
    },
  });
  running.gateway.route("GET", "/healthz", () => jsonResponse(200, { status: "ok" }), { anyHost: true });
  running.gateway.route("GET", "/metrics", () => jsonResponse(200, {}), { localHost: true });
  running.gateway.route("GET", "/traces/*", ({ path }) => jsonResponse(200, { path }));
  running.gateway.route("GET", "/", () => ({
    status: 200,
    headers: { "Content-Type": "text/html; charset=utf-8" },
    body: "<!doctype html>",
  }));
});
afterAll(() => running.gateway.close());
beforeEach(() => {
  trouble = undefined;
  running.records.length = 0;
  running.rejects.length = 0;
  running.log.length = 0;
});

describe("ingest", () => {
  it("answers 204 without a body once the record is put, readable from any origin", async () => {
    const response = await running.post(body, { origin: "https://example.com", "user-agent": 'UA "1"' });
    expect(response.status).toBe(204);
    expect(await response.text()).toBe("");
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(response.headers.has("access-control-allow-credentials")).toBe(false);
    const envelope = running.last();
    expect(envelope).toMatchObject({ route: "/v1/events", at: NOW, ip: "127.0.0.1", country: "" });
    expect(text64(envelope.body64)).toBe(body);
    expect(text64(envelope.ua64)).toBe('UA "1"');
    expect(text64(envelope.origin64)).toBe("https://example.com");
    expect(running.records).toHaveLength(1);
  });

  it("answers /api/event as trackers of that protocol expect", async () => {
    const event = { name: "pageview", url: "https://example.com/", domain: "example.com" };
    const response = await running.post(JSON.stringify(event), {}, "/api/event");
    expect([response.status, await response.text()]).toEqual([202, "ok"]);
    expect(running.last().route).toBe("/api/event");
    expect(running.records[0]?.partitionKey).toContain("example.com");
  });

  it.each([
    "application/json",
    "application/json; charset=utf-8",
    "text/plain",
    "text/plain;charset=UTF-8",
    'TEXT/PLAIN; Charset="utf-8"',
  ])("takes %s", async (type) => {
    expect((await running.post(body, { "content-type": type })).status).toBe(204);
  });

  it("takes a body without a type as JSON, as API Gateway does", async () => {
    const answer = await raw(
      running.port,
      `POST /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 204/);
  });

  it("takes exactly the limit, and one byte more is 413", async () => {
    const padded = (bytes: number) => {
      const bare = JSON.stringify({ ...batch, x: "" });
      return `${bare.slice(0, -2)}${"x".repeat(bytes - bare.length)}"}`;
    };
    expect((await running.post(padded(MAX_BODY_BYTES))).status).toBe(204);
    expect((await running.post(padded(MAX_BODY_BYTES + 1))).status).toBe(413);
    expect(running.rejects).toEqual(["too_large"]);
    expect(text64(running.last().body64)).toHaveLength(MAX_BODY_BYTES);
  });

  const refused: [
    name: string,
    status: number,
    reason: string,
    send: () => Promise<Response>,
    message: RegExp,
  ][] = [
    ["no JSON", 400, "malformed", () => running.post("{"), /JSON/],
    ["an empty body", 400, "malformed", () => running.post(""), /JSON/],
    ["a list", 400, "malformed", () => running.post("[]"), /must be an object/],
    ["no site", 400, "malformed", () => running.post('{"e":[]}'), /^s: is required/],
    [
      "a site that is a number",
      400,
      "malformed",
      () => running.post('{"s":1,"e":[]}'),
      /^s: must be a string/,
    ],
    ["an empty site", 400, "malformed", () => running.post('{"s":"","e":[]}'), /^s: is too short/],
    ["no events", 400, "malformed", () => running.post('{"s":"a"}'), /^e: is required/],
    [
      "lists within lists in place of a text",
      400,
      "malformed",
      () => running.post(`{"s":"a","e":[],"v":${"[".repeat(50_000)}${"]".repeat(50_000)}}`),
      /nested too deep/,
    ],
    [
      "events that are no list",
      400,
      "malformed",
      () => running.post('{"s":"a","e":{}}'),
      /^e: must be an array/,
    ],
    [
      "an event without a name",
      400,
      "malformed",
      () => running.post('{"u":"x","d":"a"}', {}, "/api/event"),
      /^n: is required, or name/,
    ],
    [
      "an event without a site",
      400,
      "malformed",
      () => running.post('{"u":"x","n":"a"}', {}, "/api/event"),
      /^d: is required, or domain/,
    ],
    [
      "bytes that are no UTF-8",
      400,
      "malformed",
      () => running.post(Buffer.from([0x22, 0xff, 0xfe, 0x22])),
      /UTF-8/,
    ],
    [
      "a form",
      415,
      "malformed",
      () => running.post("a=b", { "content-type": "application/x-www-form-urlencoded" }),
      /Content-Type/,
    ],
    [
      "another character set",
      415,
      "malformed",
      () => running.post(body, { "content-type": "text/plain;charset=euc-kr" }),
      /Content-Type/,
    ],
    [
      "a compressed body",
      415,
      "malformed",
      () => running.post(body, { "content-encoding": "gzip" }),
      /compressed/,
    ],
    ["too much", 413, "too_large", () => running.post("x".repeat(MAX_BODY_BYTES * 2)), /262144/],
  ];
  it.each(refused)(
    "refuses %s with %i, counted as %s and named",
    async (_, status, reason, send, message) => {
      const response = await send();
      expect(response.status).toBe(status);
      expect(response.headers.get("access-control-allow-origin")).toBe("*");
      expect(((await response.json()) as { message: string }).message).toMatch(message);
      expect(running.rejects).toEqual([reason]);
      expect(running.records).toHaveLength(0);
    },
  );

  it("answers the preflight of a browser that sends JSON", async () => {
    const response = await fetch(`${running.url}/v1/events`, { method: "OPTIONS" });
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-methods")).toContain("POST");
    expect(response.headers.get("access-control-allow-headers")).toMatch(/content-type/i);
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
  });

  it.each([
    { code: "throttled" as const, status: 503, retryAfter: "1" },
    { code: "unavailable" as const, status: 503, retryAfter: "2" },
  ])("answers $status with Retry-After when the stream is $code", async ({ code, status, retryAfter }) => {
    trouble = new ClickstreamError(code, "shardId-000000000000 of account 123456789012");
    const response = await running.post(body);
    expect(response.status).toBe(status);
    expect(response.headers.get("retry-after")).toBe(retryAfter);
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(await response.text()).not.toMatch(/shard|account/);
    expect(running.rejects).toEqual([]);
  });

  it("tells the operator of an outage and its cause, but not once per batch", async () => {
    trouble = new ClickstreamError("unavailable", "the stream's file", { cause: new Error("disk full") });
    const fresh = await startGateway({ beforePut: () => Promise.reject(trouble) });
    for (let i = 0; i < 3; i++) expect((await fresh.post(body)).status).toBe(503);
    expect(fresh.log).toHaveLength(1);
    expect(fresh.log[0]).toContain("disk full");
    await fresh.gateway.close();
  });

  it("answers 500 when putting fails for no known reason, and tells the operator, not the client", async () => {
    trouble = new Error("disk on fire");
    const response = await running.post(body);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("fire");
    expect(running.log.join()).toContain("disk on fire");
    expect(running.log.join()).not.toContain("example.com");
  });

  it("opens a trace with the client's header, puts what it says into the record, and tells it of the answer", async () => {
    const asked: unknown[] = [];
    const ended: unknown[] = [];
    const traced = await startGateway({
      trace(header) {
        asked.push(header);
        return { header: `Root=${asked.length}`, end: (outcome) => ended.push(outcome) };
      },
    });
    await traced.post(body);
    await traced.post(body, { "x-amzn-trace-id": "Root=own" });
    expect(asked).toEqual([undefined, "Root=own"]);
    expect(text64(traced.last().trace64)).toBe("Root=2");
    expect(ended).toEqual(Array(2).fill({ method: "POST", path: "/v1/events", status: 204 }));
    await traced.gateway.close();
  });

  it("believes X-Forwarded-For only from a proxy that it was told of, and then its last entry", async () => {
    const forwarded = { "x-forwarded-for": "6.6.6.6, 198.51.100.9" };
    await running.post(body, forwarded);
    expect(running.last().ip).toBe("127.0.0.1");
    const behind = await startGateway({ trustProxy: true });
    await behind.post(body, forwarded);
    expect(behind.last().ip).toBe("198.51.100.9");
    await behind.post(body, { "x-forwarded-for": "6.6.6.6, not an address" });
    expect(behind.last().ip).toBe("127.0.0.1");
    await behind.gateway.close();
  });
});

it("lets servers name their visitor on /api/event, and only there, where the operator wants it", async () => {
  const event = JSON.stringify({ n: "pageview", u: "https://example.com/", d: "example.com" });
  const named = { "x-forwarded-for": "198.51.100.9, 10.0.0.1" };
  const believing = await startGateway({ document: apiDocument({ ...options, believeSenders: true }) });
  const ipAfter = async (at: Running, path: string, headers: Record<string, string>) => {
    await at.post(path === "/api/event" ? event : body, headers, path);
    return at.last().ip;
  };
  expect(await ipAfter(believing, "/api/event", named)).toBe("198.51.100.9");
  expect(await ipAfter(believing, "/api/event", { "x-forwarded-for": "2001:db8::7" })).toBe("2001:db8::7");
  expect(await ipAfter(believing, "/api/event", {})).toBe("127.0.0.1");
  expect(await ipAfter(believing, "/api/event", { "x-forwarded-for": '"}, {"' })).toBe("127.0.0.1");
  expect(await ipAfter(believing, "/v1/events", named)).toBe("127.0.0.1");
  expect(await ipAfter(running, "/api/event", named)).toBe("127.0.0.1");
  await believing.gateway.close();
});

describe("reading", () => {
  it("hands the request to the function of its operation", async () => {
    const response = await fetch(`${running.url}/api/v2/query?a=1`, { method: "POST", body: '{"x":"é"}' });
    expect(await response.json()).toEqual({ ok: true });
    expect(running.asked.at(-1)).toMatchObject({ method: "POST", path: "/api/v2/query", body: '{"x":"é"}' });
    expect(running.asked.at(-1)?.query.get("a")).toBe("1");
  });

  it.each([
    ["bad_request", 400],
    ["unauthorized", 401],
    ["forbidden", 403],
    ["not_found", 404],
    ["throttled", 503],
    ["unavailable", 503],
    ["invariant", 500],
    ["config", 500],
  ] as const)("answers an error %s with %i", async (code, status) => {
    trouble = new ClickstreamError(code, "metrics: unknown");
    const response = await fetch(`${running.url}/api/v2/sites`);
    expect(response.status).toBe(status);
    const { error, id } = (await response.json()) as { error: string; id?: string };
    if (status < 500) expect(error).toBe("metrics: unknown");
    else expect([error.includes("metrics"), typeof id]).toEqual([false, "string"]);
    if (status === 503) expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
  });

  it("takes what a driver does not find for a fault, not for the reader's mistake", async () => {
    const cause = new Error("ResourceNotFoundException");
    trouble = new ClickstreamError("not_found", 'DynamoDB Query on table "t"', { cause });
    const response = await fetch(`${running.url}/api/v2/sites`);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("DynamoDB");
    expect(running.log[0]).toContain("ResourceNotFoundException");
  });

  it("names what only an archive could tell, as on AWS", async () => {
    trouble = new ClickstreamError("no_archive", "filters: not from rollups");
    const response = await fetch(`${running.url}/api/v2/sites`);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: "filters: not from rollups", code: "no_archive" });
  });

  it("numbers a fault, so that its cause can be found in the log", async () => {
    trouble = new Error("broken", { cause: new Error("the deeper cause") });
    const response = await fetch(`${running.url}/api/v2/sites`);
    const { id } = (await response.json()) as { id: string };
    expect(running.log).toHaveLength(1);
    expect(running.log[0]).toContain(id);
    expect(running.log[0]).toContain("the deeper cause");
  });

  it("answers 304 without a body when the caller has this version", async () => {
    const response = await fetch(`${running.url}/api/v2/live`, { headers: { "if-none-match": 'W/"v1"' } });
    expect([response.status, await response.text()]).toEqual([304, ""]);
    expect(response.headers.get("etag")).toBe('"v1"');
  });

  it.each([
    { host: "evil.example", path: "/api/v2/sites", status: 403 },
    { host: "evil.example", path: "/", status: 403 },
    { host: "localhost.evil.example", path: "/api/v2/sites", status: 403 },
    { host: "localhost:8080", path: "/api/v2/sites", status: 200 },
    { host: "127.0.0.1", path: "/api/v2/sites", status: 200 },
    { host: "[::1]:8080", path: "/api/v2/sites", status: 200 },
    { host: "ours.example", path: "/api/v2/sites", status: 200 },
    { host: "ours.example:443", path: "/", status: 200 },
    { host: "ours.example", path: "/metrics", status: 403 },
    { host: "127.0.0.1:8080", path: "/metrics", status: 200 },
    { host: "evil.example", path: "/healthz", status: 200 },
  ])("answers $status to $path asked as $host", async ({ host, path, status }) => {
    const answer = await raw(
      running.port,
      `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  it("keeps what is for this machine only from those who ask a proxy for it by this machine's name", async () => {
    const ask = (path: string): Promise<string> =>
      raw(
        running.port,
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.7\r\nConnection: close\r\n\r\n`,
      );
    expect(await ask("/metrics")).toMatch(/^HTTP\/1.1 403 /);
    expect(await ask("/healthz")).toMatch(/^HTTP\/1.1 200 /);
  });

  it("takes events whatever the host name, because a tracker may reach us by any", async () => {
    const answer = await raw(
      running.port,
      `POST /v1/events HTTP/1.1\r\nHost: stats.example\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 204/);
  });
});

describe("routes", () => {
  it.each([
    ["/api/nothing", "application/json"],
    ["/v1/", "application/json"],
    ["/nothing", "text/html"],
  ])("answers 404 at %s as %s", async (path, type) => {
    const response = await fetch(running.url + path);
    expect(response.status).toBe(404);
    expect(response.headers.get("content-type")).toContain(type);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  });

  it.each([
    ["GET", "/v1/events", "POST, OPTIONS"],
    ["DELETE", "/api/v2/query", "POST"],
    ["POST", "/api/v2/live", "GET, HEAD"],
  ])("answers 405 to %s %s and says what is allowed", async (method, path, allow) => {
    const response = await fetch(running.url + path, { method });
    expect([response.status, response.headers.get("allow")]).toEqual([405, allow]);
  });

  it("takes a target with scheme and host, as some proxies send it", async () => {
    const ask = (target: string): Promise<string> =>
      raw(running.port, `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
    expect(await ask("http://127.0.0.1/healthz")).toMatch(/^HTTP\/1.1 200 /);
    expect(await ask("http://127.0.0.1/api/v2/sites?a=1")).toMatch(/^HTTP\/1.1 200 /);
    expect(await ask("http://127.0.0.1"), "the root").toMatch(/^HTTP\/1.1 200 /);
    expect(await ask("http://127.0.0.1/else")).toMatch(/^HTTP\/1.1 404 /);
  });

  it("answers HEAD like GET, without the body but with its length", async () => {
    const got = await fetch(`${running.url}/healthz`);
    const response = await fetch(`${running.url}/healthz`, { method: "HEAD" });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-length")).toBe(String((await got.text()).length));
  });

  it("gives all below a prefix to its route", async () => {
    expect(await (await fetch(`${running.url}/traces/1-2`)).json()).toEqual({ path: "/traces/1-2" });
  });

  it("sends pages with a policy that only lets our own files run", async () => {
    const { headers } = await fetch(`${running.url}/`);
    expect(headers.get("content-security-policy")).toMatch(/default-src 'self'.*frame-ancestors 'none'/);
    expect(headers.get("content-security-policy")).not.toContain("unsafe");
    expect(headers.get("referrer-policy")).toBe("same-origin");
  });
});

describe("bad connections", () => {
  it("refuses a declared giant at once, before its body travels", async () => {
    const answer = await raw(
      running.port,
      "POST /v1/events HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9999999999\r\n\r\n",
    );
    expect(answer).toMatch(/^HTTP\/1.1 413/);
    expect(answer).not.toContain("100 Continue");
  });

  it("refuses a giant without a declared length as soon as it is over the limit, and hangs up", async () => {
    const chunk = "x".repeat(64 * 1024);
    const began = performance.now();
    const answer = await raw(
      running.port,
      `POST /v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${`10000\r\n${chunk}\r\n`.repeat(6)}`,
      30_000,
    );
    expect(answer).toMatch(/^HTTP\/1.1 413/);
    // The body never ends, so it is the server that ended the connection.
    expect(performance.now() - began).toBeLessThan(patience(2_500));
  });

  it("forgets a body that breaks off: nothing is put, nothing is counted, the next one works", async () => {
    await new Promise<void>((resolve) => {
      const socket = connect(running.port, "127.0.0.1", () => {
        socket.write(`POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n${body}`, () =>
          socket.destroy(),
        );
      });
      socket.on("close", () => resolve());
    });
    expect((await running.post(body)).status).toBe(204);
    expect(running.records).toHaveLength(1);
    expect(running.rejects).toEqual([]);
  });

  it("gives up on a body that drips in, and serves others meanwhile", async () => {
    const slow = await startGateway({ requestTimeoutMs: 300 });
    const dripping = raw(slow.port, `POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{`);
    expect((await slow.post(body)).status).toBe(204);
    expect(await dripping).toMatch(/^HTTP\/1.1 408/);
    expect(slow.records).toHaveLength(1);
    await slow.gateway.close();
  });

  it.each([
    "GET / HTTP/9\r\n\r\n",
    "nonsense\r\n\r\n",
    `GET / HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(20_000)}\r\n\r\n`,
  ])("answers what is no HTTP with 4xx (case %#)", async (bytes) => {
    expect(await raw(running.port, bytes)).toMatch(/^HTTP\/1.1 4\d\d/);
  });

  it("answers the requests in flight before it closes", async () => {
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let arrived = (): void => {};
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const draining = await startGateway({
      beforePut: () => {
        arrived();
        return held;
      },
    });
    const inFlight = draining.post(body);
    await arrival;
    const closed = draining.gateway.close();
    release?.();
    expect((await inFlight).status).toBe(204);
    await closed;
    await expect(draining.post(body)).rejects.toThrow();
  });

  it("waits for no connection that never asked when it closes, as browsers open some ahead of need", async () => {
    const quiet = await startGateway({ drainMs: 600_000 });
    const socket = connect(quiet.port, "127.0.0.1");
    const cut = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
    // An answer on a later connection: the first has been accepted by then.
    expect((await quiet.post(body)).status).toBe(204);
    await quiet.gateway.close();
    await cut;
  });

  it("keeps a connection open for the next batch", async () => {
    const { Agent } = await import("node:http");
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    for (let i = 0; i < 3; i++) {
      await new Promise<void>((resolve, reject) => {
        const request = httpRequest(`${running.url}/v1/events`, { method: "POST", agent }, (response) => {
          ports.add(response.socket.localPort);
          response.resume().on("end", resolve);
        });
        request.on("error", reject).end(body);
      });
    }
    agent.destroy();
    expect(ports.size).toBe(1);
  });
});

describe("a client that hangs up", () => {
  it("aborts the work for it, and nothing is said of that", async () => {
    let heard: (() => void) | undefined;
    const began = new Promise<void>((resolve) => {
      heard = resolve;
    });
    let reason: unknown;
    const ended = new Promise<void>((resolve) => {
      running.gateway.route("GET", "/slow", async ({ signal }) => {
        heard?.();
        await new Promise((gone) => signal.addEventListener("abort", gone, { once: true }));
        resolve();
        try {
          signal.throwIfAborted();
        } catch (error) {
          reason = error;
          throw error;
        }
        return jsonResponse(200, {});
      });
    });
    const hangsUp = new AbortController();
    const asked = fetch(`${running.url}/slow`, { signal: hangsUp.signal });
    await began;
    hangsUp.abort();
    await expect(asked).rejects.toThrow();
    await ended;
    expect(reason).toBeInstanceOf(DOMException);
    expect((await fetch(`${running.url}/healthz`)).status).toBe(200);
    expect(running.log).toEqual([]);
  });
});
