/** Receiving, keeping and showing traces on one machine: real datagrams, and a real browser under the strict policy. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { apiDocument } from "../../../infra/api.ts";
import { createGateway } from "../../../infra/local/gateway/gateway.ts";
import type { Handler } from "../../../infra/local/gateway/http.ts";
import { edgeTracing } from "../../../infra/local/traces/edge.ts";
import { addTraceRoutes, renderTraces } from "../../../infra/local/traces/page.ts";
import { parseDatagram, startTraceReceiver } from "../../../infra/local/traces/receiver.ts";
import { traceStore } from "../../../infra/local/traces/store.ts";
import { startTracing } from "../../../infra/local/traces/tracing.ts";
import { systemClock } from "../../../processors/clock.ts";
import { keyedHash, randomBytes } from "../../../processors/crypto.ts";
import { parseTraceHeader } from "../../../processors/model/trace.ts";
import { ShardWorker } from "../../../processors/pipeline/aggregate.ts";
import { registerSites } from "../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import { memoryStream } from "../../../processors/streams/memory.ts";
import type { FinishedSegment } from "../../../processors/tracing.ts";
import { type Browser, closePages, sharedBrowser } from "../../kit/browser.ts";

const HEADER = '{"format":"json","version":1}\n';
const hex = (number: number, length: number): string => number.toString(16).padStart(length, "0");
const traceNamed = (number: number): string => `1-66e0f000-${hex(number, 24)}`;
const spanNamed = (number: number): string => hex(number, 16);

/** A click as the gateway and the worker report it: 12 ms at the edge, 800 ms in the stream, 20 ms of work. */
const START = 1_763_800_000;
const gatewaySegment = (trace = 1) => ({
  trace_id: traceNamed(trace),
  id: spanNamed(1),
  name: "gateway",
  start_time: START,
  end_time: START + 0.012,
  http: { request: { method: "POST", url: "/v1/events" }, response: { status: 204 } },
});
const aggregateSegment = (trace = 1) => ({
  trace_id: traceNamed(trace),
  id: spanNamed(2),
  parent_id: spanNamed(1),
  name: "aggregate",
  start_time: START + 0.812,
  end_time: START + 0.832,
  annotations: { shard: "0", batch_size: 7, lag_ms: 812 },
  subsegments: [
    { id: spanNamed(3), name: "decode", start_time: START + 0.812, end_time: START + 0.818 },
    { id: spanNamed(4), name: "commit", start_time: START + 0.82, end_time: START + 0.832 },
  ],
});

const DOCUMENT = apiDocument({
  partition: "aws",
  region: "us-east-1",
  streamName: "events",
  ingestRoleArn: "",
  queryFunctionArn: "",
  clientAddress: { from: "connection" },
});
/** Nobody asks these tests' gateways anything but traces. */
const unasked: Handler = () => ({ status: 500, body: "" });
const FUNCTIONS = Object.fromEntries(
  Object.values(DOCUMENT.paths).flatMap((path) =>
    Object.values(path).map(({ operationId }: { operationId: string }) => [operationId, unasked]),
  ),
);

const query = (text = ""): URLSearchParams => new URLSearchParams(text);

describe("traceStore", () => {
  it("puts the segments of one trace together, whichever comes first", () => {
    const [one, other] = [traceStore(), traceStore()];
    for (const document of [gatewaySegment(), aggregateSegment()]) one.add(document);
    for (const document of [aggregateSegment(), gatewaySegment()]) other.add(document);
    const byId = (store: typeof one) =>
      store.get(traceNamed(1))!.spans.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    expect(byId(one).map((span) => [span.name, span.parentId])).toEqual([
      ["gateway", ""],
      ["aggregate", spanNamed(1)],
      ["decode", spanNamed(2)],
      ["commit", spanNamed(2)],
    ]);
    expect(byId(other)).toEqual(byId(one));
  });

  it("replaces what was in progress by its end, and never the other way round", () => {
    const store = traceStore();
    const { end_time: _, ...open } = gatewaySegment();
    const begun = { ...open, in_progress: true };
    const end = () => store.get(traceNamed(1))!.spans[0]!.endMs;
    store.add(begun);
    expect(end()).toBeUndefined();
    store.add(gatewaySegment());
    store.add(begun);
    expect(end()).toBe((START + 0.012) * 1000);
  });

  it("takes a subsegment that was sent alone under its parent", () => {
    const store = traceStore();
    store.add(gatewaySegment());
    store.add({
      ...gatewaySegment(),
      id: spanNamed(9),
      parent_id: spanNamed(1),
      type: "subsegment",
      name: "Kinesis",
    });
    expect(store.get(traceNamed(1))!.spans.map((span) => [span.name, span.parentId])).toEqual([
      ["gateway", ""],
      ["Kinesis", spanNamed(1)],
    ]);
  });

  it("keeps the newest traces only", () => {
    const store = traceStore({ maxTraces: 3 });
    for (let trace = 1; trace <= 5; trace++) store.add(gatewaySegment(trace));
    expect(store.latest().map((trace) => trace.id)).toEqual([5, 4, 3].map(traceNamed));
    expect(store.get(traceNamed(2))).toBeUndefined();
  });

  it("holds a bounded number of spans per trace and says how many it refused", () => {
    const store = traceStore({ maxSpans: 10 });
    for (let span = 1; span <= 25; span++) store.add({ ...gatewaySegment(), id: spanNamed(span) });
    expect(store.get(traceNamed(1))).toMatchObject({ dropped: 15, spans: { length: 10 } });
    const many = Array.from({ length: 1000 }, (_, index) => ({
      ...gatewaySegment(),
      id: spanNamed(index + 100),
    }));
    store.add({ ...gatewaySegment(2), subsegments: many });
    expect(store.get(traceNamed(2))!.spans.length).toBe(10);
  });

  it("cuts long texts, many annotations and deep nesting", () => {
    const store = traceStore();
    let nested: object = { ...gatewaySegment(), id: spanNamed(1000), name: "x".repeat(5000) };
    for (let depth = 1; depth < 50; depth++)
      nested = { ...gatewaySegment(), id: spanNamed(1000 + depth), subsegments: [nested] };
    const annotations = Object.fromEntries(
      Array.from({ length: 60 }, (_, index) => [`a${index}`, "y".repeat(900)]),
    );
    store.add({ ...nested, annotations });
    store.add({ ...gatewaySegment(2), name: "x".repeat(5000) });
    const { spans } = store.get(traceNamed(1))!;
    expect(spans.length).toBe(9);
    expect(spans[0]!.annotations.size).toBe(16);
    expect([...spans[0]!.annotations.values()].every((value) => value.length === 200)).toBe(true);
    expect(store.get(traceNamed(2))!.spans[0]!.name.length).toBe(200);
  });

  it.each<[string, unknown]>([
    ["no object", 7],
    ["null", null],
    ["an array", [gatewaySegment()]],
    ["no trace id", { ...gatewaySegment(), trace_id: undefined }],
    ["a trace id that is markup", { ...gatewaySegment(), trace_id: "<b>" }],
    ["no id", { ...gatewaySegment(), id: undefined }],
    ["a name that is no text", { ...gatewaySegment(), name: {} }],
    ["a start that is no number", { ...gatewaySegment(), start_time: "now" }],
    ["a start beyond all calendars", { ...gatewaySegment(), start_time: 1e300, end_time: 1e300 }],
    ["an end before the start", { ...gatewaySegment(), end_time: START - 1 }],
    ["neither an end nor progress", { ...gatewaySegment(), end_time: undefined }],
  ])("refuses %s", (_name, document) => {
    const store = traceStore();
    expect(store.add(document)).toBe(false);
    expect(store.latest()).toEqual([]);
  });
});

describe("startTraceReceiver", () => {
  const send = async (address: string, ...datagrams: (string | Uint8Array)[]): Promise<void> => {
    const socket = createSocket("udp4");
    const [host, port] = address.split(":");
    for (const datagram of datagrams) {
      await new Promise<void>((resolve, reject) =>
        socket.send(datagram, Number(port), host, (error) => (error ? reject(error) : resolve())),
      );
    }
    socket.close();
    await once(socket, "close");
  };

  it("takes documents and survives junk between them", async () => {
    const store = traceStore();
    const receiver = await startTraceReceiver({ store, port: 0 });
    await send(
      receiver.address,
      "",
      "hello",
      HEADER,
      `${HEADER}{"trace_id":`,
      `${HEADER}null`,
      new Uint8Array([0xff, 0x0a, 0xfe]),
      `{"format":"xml","version":1}\n${JSON.stringify(gatewaySegment(1))}`,
      HEADER + JSON.stringify(gatewaySegment(2)),
    );
    await vi.waitFor(() => expect(store.latest().map((trace) => trace.id)).toEqual([traceNamed(2)]));
    await receiver.close();
  });

  it("goes to a free port when its own is taken", async () => {
    const first = await startTraceReceiver({ store: traceStore(), port: 0 });
    const store = traceStore();
    const second = await startTraceReceiver({ store, port: Number(first.address.split(":")[1]) });
    expect(second.address).not.toBe(first.address);
    await send(second.address, HEADER + JSON.stringify(gatewaySegment()));
    await vi.waitFor(() => expect(store.latest().length).toBe(1));
    await Promise.all([first.close(), second.close()]);
  });

  it("reads a datagram whatever spaces its header holds", () => {
    expect(parseDatagram(Buffer.from('{"format": "json", "version": 1}\n{"a":1}'))).toEqual({ a: 1 });
  });
});

describe("edgeTracing", () => {
  const edge = (sampled: boolean) => {
    const sent: FinishedSegment[] = [];
    const wishes: (boolean | undefined)[] = [];
    const clock = { at: START * 1000, now: () => (clock.at += 5) };
    let seed = 0;
    const open = edgeTracing({
      tracer: { segment: (segment) => sent.push(segment) },
      sample: (wish) => {
        wishes.push(wish);
        return sampled;
      },
      clock,
      randomBytes: (length) => Uint8Array.from({ length }, () => ++seed),
    });
    return { open, sent, wishes };
  };
  const outcome = { method: "POST", path: "/v1/events", status: 204 };

  it("starts a trace with the gateway as parent, and reports its segment when the answer is out", () => {
    const { open, sent, wishes } = edge(true);
    const request = open(undefined);
    const header = parseTraceHeader(request.header)!;
    expect(header.sampled).toBe(true);
    expect(wishes).toEqual([undefined]);
    expect(sent).toEqual([]);
    request.end(outcome);
    expect(sent).toEqual([
      {
        name: "gateway",
        id: header.parent,
        traceId: header.root,
        startMs: START * 1000 + 5,
        endMs: START * 1000 + 10,
        http: { method: "POST", url: "/v1/events", status: 204 },
      },
    ]);
  });

  it("goes on with a trace that the client began, and hears its wish", () => {
    const { open, sent, wishes } = edge(true);
    const request = open(`Root=${traceNamed(5)};Parent=${spanNamed(6)};Sampled=1`);
    request.end(outcome);
    expect(wishes).toEqual([true]);
    expect(parseTraceHeader(request.header)?.root).toBe(traceNamed(5));
    expect(sent[0]).toMatchObject({ traceId: traceNamed(5), parentId: spanNamed(6) });
  });

  it("hands on a decision against and then sends nothing", () => {
    const { open, sent } = edge(false);
    const request = open(undefined);
    request.end(outcome);
    expect(parseTraceHeader(request.header)).toMatchObject({ sampled: false });
    expect(sent).toEqual([]);
  });

  it("begins anew after a header that is junk", () => {
    const request = edge(true).open('Root="><script>;Sampled=1');
    expect(request.header).toMatch(/^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=1$/);
  });
});

describe("the page", () => {
  const filled = () => {
    const store = traceStore();
    store.add(gatewaySegment());
    store.add(aggregateSegment());
    return store;
  };

  it("says what to do while there is no trace", () => {
    expect(renderTraces(traceStore(), query())).toContain("No trace yet");
  });

  it("lists traces by request and links to their waterfalls", () => {
    const html = renderTraces(filled(), query());
    expect(html).toContain(`<a href="/traces?id=${traceNamed(1)}">POST /v1/events</a>`);
    expect(html).toContain("832 ms");
  });

  it("lists what was answered, and beside it what failed afterwards", () => {
    expect(renderTraces(filled(), query())).toContain("<td>204</td>");
    const store = traceStore();
    store.add(gatewaySegment());
    store.add({ ...aggregateSegment(), fault: true });
    expect(renderTraces(store, query())).toContain('<td>204 <span class="badge">fault</span></td>');
  });

  it("shows the waiting time in the stream between the gateway and the worker", () => {
    const html = renderTraces(filled(), query(`id=${traceNamed(1)}`));
    expect(html).toContain("<dt>waited in the stream</dt><dd>800 ms</dd>");
    const order = ["gateway", "aggregate", "decode", "commit"].map((name) => html.indexOf(`>${name} `));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(order.every((position) => position > 0)).toBe(true);
  });

  it("escapes everything that came with the trace or the query", () => {
    const evil = `"><script>alert('1')</script>&`;
    const store = traceStore();
    store.add({
      ...gatewaySegment(),
      name: evil,
      fault: true,
      annotations: { [evil]: evil },
      http: { request: { method: evil, url: evil }, response: { status: 1 } },
      cause: { exceptions: [{ message: evil }] },
    });
    for (const text of ["", `id=${traceNamed(1)}`, `id=${encodeURIComponent(evil)}`]) {
      const html = renderTraces(store, query(text));
      expect(html).not.toMatch(/<script|alert\('/);
    }
    expect(renderTraces(store, query(`id=${traceNamed(1)}`)).split("&lt;script&gt;").length).toBeGreaterThan(
      5,
    );
  });

  it("draws every span once when their parents form a loop", () => {
    const store = traceStore();
    store.add({ ...gatewaySegment(), id: spanNamed(1), parent_id: spanNamed(2), name: "hen" });
    store.add({ ...gatewaySegment(), id: spanNamed(2), parent_id: spanNamed(1), name: "egg" });
    const html = renderTraces(store, query(`id=${traceNamed(1)}`));
    expect(["hen", "egg"].map((name) => html.split(`>${name} `).length - 1)).toEqual([1, 1]);
  });
});

describe("behind the gateway", () => {
  let browser: Browser;
  let origin: string;
  const store = traceStore();
  const gateway = createGateway({
    document: DOCUMENT,
    putRecord: () => Promise.reject(new Error("no event is sent here")),
    functions: FUNCTIONS,
    clock: { now: () => START * 1000 },
    trace: () => ({ header: "", end: () => {} }),
  });

  beforeAll(async () => {
    store.add(gatewaySegment());
    store.add(aggregateSegment());
    store.add({ ...gatewaySegment(2), fault: true, cause: { exceptions: [{ message: "stream is away" }] } });
    addTraceRoutes(gateway, store);
    const { port } = await gateway.listen(0, "127.0.0.1");
    origin = `http://127.0.0.1:${port}`;
    browser = await sharedBrowser();
  });
  afterAll(async () => {
    await closePages(browser);
    await gateway.close();
  });

  it("answers 404 for a trace that is gone, as a page and as data", async () => {
    for (const path of ["/traces", "/traces.json"]) {
      expect((await fetch(`${origin}${path}?id=${traceNamed(1)}`)).status).toBe(200);
      expect((await fetch(`${origin}${path}?id=${traceNamed(7)}`)).status).toBe(404);
    }
  });

  it("tells the same as data", async () => {
    const { traces } = (await (await fetch(`${origin}/traces.json`)).json()) as {
      traces: { id: string; spans: { annotations: object }[] }[];
    };
    expect(traces.map((trace) => trace.id)).toEqual([2, 1].map(traceNamed));
    expect(traces[1]!.spans[1]!.annotations).toEqual({ shard: "0", batch_size: "7", lag_ms: "812" });
  });

  it("draws bars in proportion, in light and in dark, and breaks no rule of the gateway's policy", async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      const page = await browser.newPage({ colorScheme, viewport: { width: 1100, height: 640 } });
      const complaints: string[] = [];
      // Chromium asks for an icon by itself; that is not the page's doing.
      page.on("console", (line) => {
        if (!line.location().url.endsWith("/favicon.ico")) complaints.push(line.text());
      });
      await page.goto(`${origin}/traces`);
      await page.getByRole("link", { name: "POST /v1/events" }).last().click();
      await page.getByRole("heading", { name: "Trace" }).waitFor();
      const box = async (selector: string) => (await page.locator(selector).first().boundingBox())!;
      const track = await box(".bars svg");
      const commit = await box("tbody tr:last-child .work");
      expect(commit.width / track.width).toBeCloseTo(12 / 832, 2);
      expect((commit.x - track.x) / track.width).toBeCloseTo(820 / 832, 2);
      const background = await page.evaluate("getComputedStyle(document.body).backgroundColor");
      expect(background).toBe(colorScheme === "light" ? "rgb(251, 251, 250)" : "rgb(21, 24, 27)");
      expect(complaints).toEqual([]);
      if (process.env.SCREENSHOTS !== undefined) {
        await page.screenshot({ path: `${process.env.SCREENSHOTS}/trace-${colorScheme}.png` });
        await page.goto(`${origin}/traces`);
        await page.screenshot({ path: `${process.env.SCREENSHOTS}/traces-${colorScheme}.png` });
      }
      await page.close();
    }
  });
});

it("makes one trace of one click, from the gateway through the stream to the commit", async () => {
  const clock = systemClock;
  const stream = memoryStream({ clock });
  const store = memoryStore({ clock });
  const { tracer, edge, store: traces, close: stopTracing } = await startTracing({ port: 0 });
  await registerSites(store, clock, [{ id: "demo", timeZone: "UTC" }]);
  const gateway = createGateway({
    document: DOCUMENT,
    putRecord: (record) => stream.put(record),
    functions: FUNCTIONS,
    clock,
    trace: edge,
  });
  const { port } = await gateway.listen(0, "127.0.0.1");
  const click = (header: string) =>
    fetch(`http://127.0.0.1:${port}/v1/events`, {
      method: "POST",
      headers: { "content-type": "text/plain", "x-amzn-trace-id": header },
      body: JSON.stringify({ s: "demo", e: [{ n: "pageview", u: "https://example.com/" }] }),
    });
  expect((await click(`Root=${traceNamed(8)};Sampled=0`)).status).toBe(204);
  expect((await click(`Root=${traceNamed(9)};Sampled=1`)).status).toBe(204);

  const [shard] = await stream.shards();
  const worker = new ShardWorker(
    {
      store,
      clock,
      hash: keyedHash,
      randomBytes,
      country: () => "",
      tracer,
    },
    shard!,
  );
  const { records } = await stream.read(shard!.id, "", 10);
  await worker.process(records);

  const spans = await vi.waitFor(() => {
    const found = traces.get(traceNamed(9))?.spans ?? [];
    expect(found.length).toBe(6);
    return found;
  });
  const named = (name: string) => spans.find((span) => span.name === name)!;
  expect(named("gateway")).toMatchObject({ parentId: "", http: { url: "/v1/events", status: 204 } });
  expect(named("aggregate").parentId).toBe(named("gateway").id);
  expect(named("aggregate").annotations.get("batch_size")).toBe("2");
  expect(
    ["decode", "enrich", "fold", "commit"].map((step) => named(step).parentId === named("aggregate").id),
  ).toEqual([true, true, true, true]);
  expect(traces.latest().map((trace) => trace.id)).toEqual([traceNamed(9)]);
  await Promise.all([gateway.close(), stopTracing(), stream.close(), store.close()]);
});
