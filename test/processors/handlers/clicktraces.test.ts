/** What the stream's consumers add to the traces of clicks, against a server that answers as X-Ray's API does. */
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { XRayClient } from "@aws-sdk/client-xray";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { ENV } from "../../../processors/env.ts";
import { putDocuments } from "../../../processors/xray.ts";
import { LOCAL_AWS, localClient } from "../../conformance/doubles.ts";
import { type Listening, listening } from "../../kit/listening.ts";

type Answer = { readonly status: number; readonly body: unknown } | "none";
let answer: Answer;
const asked: { path: string; documents: string[] }[] = [];
const server = createServer(async (request, response) => {
  const { TraceSegmentDocuments: documents } = JSON.parse(await text(request));
  asked.push({ path: request.url!, documents });
  if (answer === "none") return;
  response.writeHead(answer.status, { "content-type": "application/json" }).end(JSON.stringify(answer.body));
});
const taken: Answer = { status: 200, body: { UnprocessedTraceSegments: [] } };
const refused = (...ids: string[]): Answer => ({
  status: 200,
  body: { UnprocessedTraceSegments: ids.map((Id) => ({ Id, ErrorCode: "MissingName" })) },
});

const before = { ...process.env };
let double: Listening;
beforeAll(async () => {
  double = await listening(server);
  Object.assign(process.env, {
    [ENV.table]: "clicks",
    ...LOCAL_AWS,
    AWS_ENDPOINT_URL_XRAY: double.origin,
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  asked.length = 0;
});
afterAll(() => {
  process.env = before;
  return double.close();
});

describe("a batch with clicks that are traced", () => {
  const trace = (n: number): string => `1-67891233-${String(n).padStart(24, "0")}`;

  /** What it says to its operator. */
  async function count(traces: number): Promise<{ lines: unknown[]; warnings: unknown[] }> {
    const { consumerTracer } = await import("../../../processors/handlers/clicktraces.ts");
    const lines: string[] = [];
    const warnings: unknown[] = [];
    vi.spyOn(process.stdout, "write").mockImplementation((line) => lines.push(String(line)) > 0);
    vi.spyOn(console, "warn").mockImplementation((warning) => warnings.push(warning));
    const tracer = consumerTracer("rivulet-aggregate", "DynamoDB");
    const batch = tracer.batch({ shard: "shardId-000000000000", records: 3, lagMs: 5 });
    for (let n = 1; n <= traces; n++) batch.join(`Root=${trace(n)};Parent=53995c3f42cd8ad8;Sampled=1`);
    await batch.step("commit", async () => {});
    batch.end();
    await tracer.flushed();
    await tracer.flushed(); // sends nothing twice
    return { lines: lines.map((line) => JSON.parse(line)), warnings };
  }

  it("has its segments put at once, complete, and says nothing when they were taken", async () => {
    answer = taken;
    expect(await count(2)).toEqual({ lines: [], warnings: [] });
    expect(asked.map(({ path }) => path)).toEqual(["/TraceSegments"]);
    const documents = asked[0]!.documents.map((one) => JSON.parse(one));
    expect(documents).toMatchObject(
      [1, 2].map((n) => ({
        trace_id: trace(n),
        parent_id: "53995c3f42cd8ad8",
        name: "rivulet-aggregate",
        annotations: { shard: "shardId-000000000000", batch_size: 3 },
        subsegments: [{ name: "commit", subsegments: [{ name: "DynamoDB", namespace: "aws" }] }],
      })),
    );
    for (const document of documents) {
      expect(document.end_time).toBeGreaterThanOrEqual(document.start_time);
      expect(document).not.toHaveProperty("in_progress");
    }
  });

  it("asks X-Ray nothing when no click is traced", async () => {
    expect(await count(0)).toEqual({ lines: [], warnings: [] });
    expect(asked).toEqual([]);
  });

  it("counts the segments that X-Ray refuses", async () => {
    answer = refused("a");
    expect(await count(2)).toMatchObject({ lines: [{ Table: "clicks", Untraced: 1 }], warnings: [] });
  });

  it("is not failed by an X-Ray that refuses the call, and counts all of it as lost", async () => {
    answer = { status: 403, body: { __type: "AccessDeniedException", message: "arn:aws:iam::1:role/x" } };
    const { lines, warnings } = await count(3);
    expect(lines).toMatchObject([{ Untraced: 3 }]);
    expect(warnings).toEqual([expect.stringContaining("PutTraceSegments of 3: AccessDeniedException")]);
  });
});

describe("putting documents", () => {
  it("takes as many calls as the limit of one asks for, and adds up what was refused", async () => {
    const client = new XRayClient(localClient(double.origin));
    answer = refused("a", "b");
    const documents = Array.from({ length: 101 }, (_, n) => `{"id":"${n}"}`);
    expect(await putDocuments(documents, { client })).toBe(6);
    expect(asked.map(({ documents: some }) => some.length)).toEqual([50, 50, 1]);
    expect(asked.flatMap(({ documents: some }) => some)).toEqual(documents);
    client.destroy();
  });

  it("gives up when it takes too long", async () => {
    const client = new XRayClient(localClient(double.origin));
    answer = "none";
    const signal = AbortSignal.timeout(20);
    await expect(putDocuments(["{}"], { client, signal })).rejects.toMatchObject({ code: "unavailable" });
    client.destroy();
  });
});
