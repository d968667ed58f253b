/** The X-Ray tracer against the real SDK and real datagrams, on one machine and in a Lambda environment. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { startTraceReceiver, type TraceReceiver } from "../../infra/local/traces/receiver.ts";
import { type Trace, type TraceStore, traceStore } from "../../infra/local/traces/store.ts";
import { captureClient } from "../../processors/capture.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import { segmentId, traceId } from "../../processors/model/trace.ts";
import { noTracer } from "../../processors/tracer.ts";
import { preciseClock, type XrayTracer, xrayTracer } from "../../processors/tracing.ts";

const PARENT = "53995c3f42cd8ad8";
const INFO = { shard: "shardId-000000000000", records: 12, lagMs: 345.6 };

const newTrace = (): string => traceId(Date.now(), randomBytes(12));
const header = (root: string, sampled: 0 | 1 = 1): string =>
  `Root=${root};Parent=${PARENT};Sampled=${sampled}`;

let receiver: TraceReceiver;
let tracer: XrayTracer;
// The SDK's daemon address belongs to the process, so one receiver serves all tests and each asks for its own traces.
const store: TraceStore = traceStore();

beforeAll(async () => {
  receiver = await startTraceReceiver({ store, port: 0 });
});
beforeEach(() => {
  tracer = xrayTracer({ name: "aggregate", daemonAddress: receiver.address });
});
afterAll(() => receiver.close());

const arrived = (id: string): Promise<Trace> =>
  vi.waitFor(() => store.get(id) ?? Promise.reject(new Error(`no trace ${id} yet`)), { timeout: 5000 });

/** Resolves when everything sent before has arrived: datagrams on the loopback interface keep their order. */
async function drained(): Promise<void> {
  const last = newTrace();
  const batch = tracer.batch(INFO);
  batch.join(header(last));
  batch.end();
  await arrived(last);
}

const named = (trace: Trace, name: string) => trace.spans.find((span) => span.name === name)!;

describe("a batch that holds a sampled envelope", () => {
  it("gets a segment in the browser's trace, with its steps inside and what it worked on", async () => {
    const id = newTrace();
    const receivedAt = Date.now() - 2000;
    const batch = tracer.batch(INFO);
    batch.step("decode", () => batch.join(header(id), { receivedAt, site: "example.com" }));
    batch.step("enrich", () => {});
    batch.step("fold", () => {});
    await batch.step("commit", async () => {});
    batch.end();

    const trace = await arrived(id);
    const segment = named(trace, "aggregate");
    expect(segment.parentId).toBe(PARENT);
    expect(segment.outcome).toBe("ok");
    const { wait_ms: waited, ...others } = Object.fromEntries(segment.annotations);
    expect(others).toEqual({ shard: INFO.shard, batch_size: "12", lag_ms: "346", site: "example.com" });
    expect(Number(waited)).toBeGreaterThanOrEqual(1998); // the two clocks may be 2 ms apart
    const steps = trace.spans.filter((span) => span.parentId === segment.id);
    expect(steps.map((span) => span.name)).toEqual(["decode", "enrich", "fold", "commit"]);
    for (const [index, step] of steps.entries()) {
      expect(step.startMs).toBeGreaterThanOrEqual(steps[index - 1]?.endMs ?? segment.startMs);
      expect(step.endMs!).toBeLessThanOrEqual(segment.endMs!);
    }
  });

  it("makes one bar of a step that runs many times, from its first start to its last end", async () => {
    const id = newTrace();
    const clock = { at: 1_000_000, now: () => (clock.at += 10) };
    const batch = xrayTracer({ name: "aggregate", clock }).batch(INFO);
    batch.join(header(id));
    for (let round = 0; round < 3; round++) {
      batch.step("decode", () => {});
      batch.step("enrich", () => {});
    }
    batch.end();
    const trace = await arrived(id);
    expect(
      trace.spans.map(({ name, startMs, endMs }) => [
        name,
        Math.round(startMs - 1_000_000),
        Math.round(endMs! - 1_000_000),
      ]),
    ).toEqual([
      ["aggregate", 10, 140],
      ["decode", 20, 110],
      ["enrich", 40, 130],
    ]);
  });

  it("joins at most a few traces, each once", async () => {
    const batch = xrayTracer({ name: "aggregate", perBatch: 2 }).batch(INFO);
    const ids = [newTrace(), newTrace(), newTrace()];
    for (const id of ids) {
      batch.join(header(id));
      batch.join(header(id));
    }
    batch.end();
    await drained();
    expect(ids.map((id) => store.get(id)?.spans.length)).toEqual([1, 1, undefined]);
  });

  it("says that the batch failed, and why", async () => {
    const broken = newTrace();
    const throttled = newTrace();
    for (const [id, error] of [
      [broken, new ClickstreamError("unavailable", "store is away")],
      [throttled, new ClickstreamError("throttled", "slow down")],
    ] as const) {
      const batch = tracer.batch(INFO);
      batch.join(header(id));
      batch.fail(error);
      batch.end();
    }
    expect(named(await arrived(broken), "aggregate")).toMatchObject({
      outcome: "fault",
      message: "store is away",
    });
    expect(named(await arrived(throttled), "aggregate")).toMatchObject({
      outcome: "throttle",
      message: "slow down",
    });
  });
});

it("sends nothing for envelopes that are not sampled or whose header is junk", async () => {
  const unsampled = newTrace();
  const undecided = newTrace();
  const before = store.latest().length;
  const batch = tracer.batch(INFO);
  batch.join(header(unsampled, 0));
  batch.join(`Root=${undecided}`);
  for (const junk of ["", "Sampled=1", "Root=;Sampled=1", `Root=${"x".repeat(40)};Sampled=1`, "\u0000\n{}"]) {
    batch.join(junk);
  }
  batch.end();
  await drained();
  expect(store.latest().length).toBe(before + 1); // the one that drained() sent
});

describe.each([
  { name: "the X-Ray tracer", open: () => tracer.batch(INFO) },
  { name: "the silent tracer", open: () => noTracer.batch(INFO) },
])("$name", ({ open }) => {
  it("returns and throws what the step does, synchronous or not", async () => {
    const batch = open();
    const error = new Error("mine");
    const fail = (): never => {
      throw error;
    };
    expect(batch.step("decode", () => 7)).toBe(7);
    await expect(batch.step("commit", async () => 8)).resolves.toBe(8);
    expect(() => batch.step("decode", fail)).toThrow(error);
    await expect(batch.step("commit", async () => fail())).rejects.toBe(error);
    batch.end();
  });
});

it("does no harm when nobody listens", async () => {
  const away = await startTraceReceiver({ store: traceStore(), port: 0 });
  await away.close();
  const lonely = xrayTracer({ name: "aggregate", daemonAddress: away.address });
  for (let sent = 0; sent < 3; sent++) {
    const batch = lonely.batch(INFO);
    batch.join(header(newTrace()));
    batch.end();
    await lonely.flushed();
  }
});

it("sends a finished segment as told: id, caller, times, request and outcome", async () => {
  const id = newTrace();
  const own = segmentId(randomBytes(8));
  tracer.segment({
    name: "gateway",
    id: own,
    traceId: id,
    parentId: PARENT,
    startMs: 1_763_800_000_000,
    endMs: 1_763_800_000_012,
    http: { method: "POST", url: "/v1/events", status: 503 },
    annotations: { stage: "local" },
  });
  const span = named(await arrived(id), "gateway");
  expect(span).toMatchObject({
    id: own,
    parentId: PARENT,
    outcome: "fault",
    http: { method: "POST", url: "/v1/events", status: 503 },
  });
  expect(Math.round(span.endMs! - span.startMs)).toBe(12);
  expect(Object.fromEntries(span.annotations)).toEqual({ stage: "local" });
});

it("leaves a client alone outside Lambda, where there is no invocation to show it in", () => {
  const client = new DynamoDBClient({ region: "us-east-1" });
  const before = client.middlewareStack.identify();
  expect(captureClient(client)).toBe(client);
  expect(client.middlewareStack.identify()).toEqual(before);
});

it("tells the time to fractions of a millisecond, near the wall clock", () => {
  const clock = preciseClock();
  const before = Date.now();
  const readings = Array.from({ length: 50 }, () => clock.now());
  const after = Date.now();
  expect(readings[0]).toBeGreaterThan(before - 50);
  expect(readings.at(-1)).toBeLessThan(after + 50);
  expect(readings.some((at) => !Number.isInteger(at))).toBe(true);
  expect(readings, "never backwards").toEqual(readings.toSorted((a, b) => a - b));
});

/** Runs a program of its own: the SDK settles its mode once per process. */
async function run(
  program: string,
  env: Record<string, string>,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    cwd: new URL("../..", import.meta.url),
    env: { PATH: process.env.PATH ?? "", AWS_XRAY_DAEMON_ADDRESS: receiver.address, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}

describe("in a process of its own", () => {
  it("neither keeps the process alive nor prints, loads the SDK only when needed and leaves async_hooks off", async () => {
    const id = newTrace();
    const result = await run(
      `import { createHook, executionAsyncId } from "node:async_hooks";
       import { createRequire } from "node:module";
       import { xrayTracer } from "./processors/tracing.ts";
       const loaded = () => Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes("aws-xray-sdk-core"));
       const tracer = xrayTracer({ name: "aggregate" });
       const unsampled = tracer.batch({ shard: "s", records: 1, lagMs: 0 });
       unsampled.join("Root=${newTrace()};Sampled=0");
       unsampled.end();
       const before = loaded();
       const batch = tracer.batch({ shard: "s", records: 1, lagMs: 0 });
       batch.join("${header(id)}");
       batch.end();
       await tracer.flushed();
       // Promises get ids of their own only while some hook is on.
       await null;
       console.log(JSON.stringify({ before, after: loaded(), promisesAreTracked: executionAsyncId() !== 0, mode: process.env.AWS_XRAY_MANUAL_MODE ?? null }));`,
      {},
    );
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(result.stdout)).toEqual({
      before: false,
      after: true,
      promisesAreTracked: false,
      mode: null,
    });
    expect((await arrived(id)).spans.map((span) => span.name)).toEqual(["aggregate"]);
  });

  it("shows the batch and the client's calls in the invocation's own trace in Lambda, besides the browser's", async () => {
    const [first, second, failing] = [newTrace(), newTrace(), newTrace()];
    const [browser, unsampled] = [newTrace(), newTrace()];
    const result = await run(
      `import { createServer } from "node:http";
       import { once } from "node:events";
       import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
       import { captureClient } from "./processors/capture.ts";
       import { xrayTracer } from "./processors/tracing.ts";
       let status = 200;
       const server = createServer((request, response) => {
         response.writeHead(status).end(status === 200 ? '{"TableNames":[]}' : '{"__type":"ResourceNotFoundException"}');
       }).listen(0, "127.0.0.1");
       await once(server, "listening");
       import { createRequire } from "node:module";
       const loaded = () => Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes("aws-xray-sdk-core"));
       const tracer = xrayTracer({ name: "aggregate" });
       const client = captureClient(new DynamoDBClient({ region: "us-east-1", endpoint: "http://127.0.0.1:" + server.address().port,
         credentials: { accessKeyId: "a", secretAccessKey: "b" } }));
       const handler = async (traces) => {
         const batch = tracer.batch({ shard: "s", records: 2, lagMs: 0 });
         for (const header of traces) batch.join(header);
         await batch.step("commit", () => client.send(new ListTablesCommand({}))).catch((error) => batch.fail(error));
         batch.end();
         await tracer.flushed();
       };
       // The runtime's loop: each invocation begins from a timer, with its own trace in the environment.
       const invoke = async (root, traces, sampled = 1) => {
         process.env._X_AMZN_TRACE_ID = "Root=" + root + ";Parent=${PARENT};Sampled=" + sampled;
         await new Promise((resolve) => setTimeout(resolve, 1));
         await handler(traces);
       };
       const beginning = new Promise((resolve) => setTimeout(resolve, 1)); // what the SDK, once loaded, knows nothing of
       await invoke("${unsampled}", [], 0);
       console.log("loaded before the first that is sampled:", loaded());
       await invoke("${first}", []);
       await beginning;
       await invoke("${unsampled}", [], 0);
       await invoke("${second}", ["${header(browser)}"]);
       status = 400;
       await invoke("${failing}", []);
       client.destroy();
       server.close();`,
      { LAMBDA_TASK_ROOT: "/var/task", AWS_LAMBDA_FUNCTION_NAME: "aggregate" },
    );
    const stdout = "loaded before the first that is sampled: false\n";
    expect(result).toEqual({ code: 0, stdout, stderr: "" });
    for (const id of [first, second]) {
      const spans = await vi.waitFor(() => {
        const found = store.get(id)?.spans ?? [];
        expect(found.length).toBe(3);
        return found;
      });
      const batch = spans.find((span) => span.name === "aggregate")!;
      expect(batch.parentId).toBe(PARENT);
      expect(batch.annotations.get("batch_size")).toBe("2");
      expect(spans.find((span) => span.name === "commit")!.parentId).toBe(batch.id);
      expect(spans.find((span) => span.name === "DynamoDB")!.parentId).toBe(PARENT);
    }
    expect((await arrived(browser)).spans.map((span) => [span.name, span.parentId === PARENT])).toEqual([
      ["aggregate", true],
      ["commit", false],
    ]);
    const failed = await vi.waitFor(() => {
      const found = store.get(failing)?.spans ?? [];
      expect(found.length).toBe(3);
      return found;
    });
    expect(failed.find((span) => span.name === "DynamoDB")!.outcome).toBe("error");
    expect(failed.find((span) => span.name === "aggregate")!.outcome).toBe("fault");
    expect(store.get(unsampled)).toBeUndefined();
  });
});
