/** `rivulet trace`: from a server's own pages, and from X-Ray as its API answers. */
import { createServer } from "node:http";
import { XRayClient } from "@aws-sdk/client-xray";
import { afterEach, describe, expect, it } from "vitest";
import { ofServer, ofXray, traceIdOf } from "../../../infra/local/trace.ts";
import { addTraceRoutes } from "../../../infra/local/traces/page.ts";
import { type Trace, traceStore } from "../../../infra/local/traces/store.ts";
import { renderTrace } from "../../../infra/local/traces/text.ts";
import { traceDocuments } from "../../../processors/xray.ts";
import { localClient } from "../../conformance/doubles.ts";
import { type Listening, listening } from "../../kit/listening.ts";

const ID = "1-66e0f000-000000000000000000000001";
const START = 1_763_800_000;
const span = (n: number): string => n.toString(16).padStart(16, "0");
const gateway = {
  trace_id: ID,
  id: span(1),
  name: "gateway",
  start_time: START,
  end_time: START + 0.1,
  http: { request: { method: "POST", url: "/v1/events" }, response: { status: 204 } },
};
const aggregate = {
  trace_id: ID,
  id: span(2),
  parent_id: span(1),
  name: "aggregate\u001b[2J",
  start_time: START + 0.6,
  end_time: START + 1,
  fault: true,
  annotations: { lag_ms: 500 },
  subsegments: [{ id: span(3), name: "commit", start_time: START + 0.9, end_time: START + 1 }],
};

let server: Listening | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** Answers with what `answer` makes of path and body. */
async function serve(
  answer: (path: string, body: string) => { status: number; body: string },
  type = "application/json",
): Promise<string> {
  server = await listening(
    createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      const { status, body: text } = answer(request.url!, body);
      response.writeHead(status, { "content-type": type }).end(text);
    }),
  );
  return server.origin;
}

describe("a trace in the terminal", () => {
  it("shows each span under its caller with its time, what it waited, and how it ended", async () => {
    const trace = await ofXray(ID, async () => [aggregate, gateway]);
    expect(renderTrace(trace).split("\n")).toEqual([
      `${ID} began at 2025-11-22T08:26:40.000Z and took 1.00 s`,
      "",
      "gateway                    #####                                        100 ms",
      "  request: POST /v1/events -> 204",
      "  aggregate?[2J                ....................################     400 ms  fault",
      "    lag_ms: 500",
      "    waited in the stream: 500 ms",
      "    commit                                                     ####     100 ms",
    ]);
  });

  it("is asked of the server that counted the click", async () => {
    const store = traceStore();
    store.add(gateway);
    const routes = new Map<
      string,
      (request: { query: URLSearchParams }) => { status: number; body: string }
    >();
    addTraceRoutes({ route: (_method, path, handler) => void routes.set(path, handler as never) }, store);
    const url = await serve((path) =>
      routes.get("/traces.json")!({ query: new URL(path, "http://x").searchParams }),
    );
    const spans = (trace: Trace) => trace.spans.map(({ name, annotations }) => [name, [...annotations]]);
    expect(spans(await ofServer(ID, url))).toEqual([["gateway", []]]);
    await expect(ofServer(ID.replace(/1$/, "2"), url)).rejects.toThrow(/has no trace .*2: the newest 200/);
    await server!.close();
    server = undefined;
    await expect(ofServer(ID, url)).rejects.toThrow(/no Rivulet answers/);
  });

  it("is not called missing where there are none, because readers need a key", async () => {
    const url = await serve(() => ({ status: 404, body: "<!doctype html>" }), "text/html; charset=utf-8");
    await expect(ofServer(ID, url)).rejects.toThrow(/shows no traces: .* readers need a key/);
  });

  it("is read from X-Ray page by page", async () => {
    const asked: unknown[] = [];
    const url = await serve((path, body) => {
      asked.push([path, JSON.parse(body)]);
      const isFirst = asked.length === 1;
      const Document = JSON.stringify(isFirst ? gateway : aggregate);
      const Traces = [{ Id: ID, Segments: [{ Id: "x", Document }] }];
      return { status: 200, body: JSON.stringify({ Traces, ...(isFirst ? { NextToken: "more" } : {}) }) };
    });
    const client = new XRayClient(localClient(url));
    const { spans } = await ofXray(ID, (id) => traceDocuments(id, client));
    expect(spans.map(({ id }) => id)).toEqual([span(1), span(2), span(3)]);
    expect(asked).toEqual([
      ["/Traces", { TraceIds: [ID] }],
      ["/Traces", { TraceIds: [ID], NextToken: "more" }],
    ]);
  });

  it("says what is wrong: no id, a trace that is not there, and what X-Ray refuses", async () => {
    expect(traceIdOf(`Root=${ID};Sampled=1`)).toBe(ID);
    expect(() => traceIdOf("1-2-3")).toThrow(/is no trace id/);
    const url = await serve((_path, body) =>
      body.includes(ID)
        ? { status: 200, body: '{"Traces":[],"UnprocessedTraceIds":[]}' }
        : { status: 403, body: '{"__type":"AccessDeniedException","message":"account 1234"}' },
    );
    const client = new XRayClient(localClient(url));
    await expect(ofXray(ID, (id) => traceDocuments(id, client))).rejects.toThrow(/X-Ray has no trace/);
    await expect(traceDocuments("other", client)).rejects.toMatchObject({
      code: "config",
      message: expect.not.stringContaining("1234"),
    });
  });
});
