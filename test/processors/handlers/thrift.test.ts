import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { ENV } from "../../../processors/env.ts";
import { LOCAL_AWS } from "../../conformance/doubles.ts";
import { coldStart } from "../../kit/lambda/coldstart.ts";
import { type Listening, listening } from "../../kit/listening.ts";

const MAPPING = "4c6f2a7e-3b1d-4f7e-9a53-5d0a6a1c2b3d";
let server: Listening;
let calls: { method: string | undefined; path: string | undefined; body: unknown }[] = [];
let status = 202;

beforeAll(async () => {
  server = await listening(
    createServer(async (request, response) => {
      const body = JSON.parse(String(await buffer(request)));
      calls.push({ method: request.method, path: request.url, body });
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(status === 202 ? { UUID: MAPPING } : { message: "no" }));
    }),
  );
  Object.assign(process.env, {
    ...LOCAL_AWS,
    AWS_ENDPOINT_URL_LAMBDA: server.origin,
    [ENV.mapping]: MAPPING,
    [ENV.usualWindow]: "1",
    [ENV.thriftyWindow]: "10",
  });
});
afterAll(() => server.close());
beforeEach(() => {
  calls = [];
  status = 202;
});

const alarm = async (value: "OK" | "ALARM" | "INSUFFICIENT_DATA") => {
  const { handler } = await coldStart<typeof import("../../../processors/handlers/thrift.ts")>("thrift");
  return handler({ alarmData: { state: { value } } });
};

describe("the budget's alarm", () => {
  it.each([
    ["ALARM", 10],
    ["OK", 1],
    ["INSUFFICIENT_DATA", 1],
  ] as const)("%s lets clicks gather for %i s", async (state, seconds) => {
    expect(await alarm(state)).toEqual({ seconds });
    expect(calls).toEqual([
      {
        method: "PUT",
        path: `/2015-03-31/event-source-mappings/${MAPPING}`,
        body: { MaximumBatchingWindowInSeconds: seconds },
      },
    ]);
  });

  it("fails where it may not, so that Lambda tries again and says so", async () => {
    status = 403;
    await expect(alarm("ALARM")).rejects.toThrow("UpdateEventSourceMapping");
  });

  it("does not start without knowing both windows", async () => {
    vi.stubEnv(ENV.thriftyWindow, "soon");
    await expect(alarm("ALARM")).rejects.toMatchObject({ code: "config" });
    vi.unstubAllEnvs();
  });
});
