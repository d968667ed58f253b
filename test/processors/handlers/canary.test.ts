import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { CANARY_SITE, ENV } from "../../../processors/env.ts";
import { LOCAL_AWS, startWire } from "../../conformance/doubles.ts";
import { coldStart } from "../../kit/lambda/coldstart.ts";
import { type ServerProcess, startServer } from "../../kit/server.ts";
import { temporaryDirectory } from "../../kit/temporary.ts";

const data = temporaryDirectory();
let server: ServerProcess;

beforeAll(async () => {
  server = await startServer({ data, args: ["--site", CANARY_SITE, "--site", "example.com"] });
});
afterAll(async () => {
  await server.stop();
});

/** The handler as Lambda loads it, and all that it writes to its log. */
async function canary(
  url: string,
  withinMs: number,
): Promise<{ run: () => Promise<{ visibleMs: number }>; log: string[] }> {
  Object.assign(process.env, {
    [ENV.table]: "clicks",
    [ENV.url]: url,
    [ENV.reportUrl]: `${url}/v1/events`,
    [ENV.canaryMs]: String(withinMs),
  });
  const log: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((line) => log.push(String(line)) > 0);
  const { handler } = await coldStart<typeof import("../../../processors/handlers/canary.ts")>("canary");
  return { run: () => handler().finally(() => vi.restoreAllMocks()), log };
}

describe("the canary", () => {
  it("clicks, finds its click in the answers, and tells how long that took as a metric", async () => {
    const { run, log } = await canary(server.url, 20_000);
    const { visibleMs } = await run();
    const line = JSON.parse(log.join(""));
    expect(line).toMatchObject({ Table: "clicks", Visible: visibleMs });
    expect(line._aws.CloudWatchMetrics).toEqual([
      { Namespace: "Rivulet", Dimensions: [["Table"]], Metrics: [{ Name: "Visible", Unit: "Milliseconds" }] },
    ]);
  });

  it("fails, so that its alarm goes off, when nobody takes the click", async () => {
    const { run, log } = await canary(`${server.url}/nowhere`, 20_000);
    await expect(run()).rejects.toThrow("POST /nowhere/v1/events was answered 404");
    expect(log).toEqual([]);
  });

  it("asks the function itself where readers need a key, and fails when that fails", async () => {
    const asked: unknown[] = [];
    let answer = (): object => ({ clicks: asked.length - 1 });
    const lambda = await startWire("http://127.0.0.1:1", async ({ path, body }) => {
      asked.push([path, JSON.parse(body.toString())]);
      return { status: 200, type: "application/json", body: Buffer.from(JSON.stringify(answer())) };
    });
    for (const [name, value] of Object.entries({ ...LOCAL_AWS, AWS_ENDPOINT_URL: lambda.endpoint }))
      vi.stubEnv(name, value);
    vi.stubEnv(ENV.queryFunction, "rivulet-query");
    try {
      const { run } = await canary(server.url, 20_000);
      await run();
      const page = expect.stringMatching(/^\/[0-9a-f-]{36}$/);
      expect(asked, "not counted yet, and then").toEqual(
        Array(2).fill(["/2015-03-31/functions/rivulet-query/invocations", { canary: page }]),
      );
      answer = () => ({ clicks: 2 });
      const { run: again } = await canary(server.url, 20_000);
      await expect(again()).rejects.toThrow("one click was counted 2 times");
    } finally {
      vi.unstubAllEnvs();
      await lambda.close();
    }
  });

  it("is on no reader's list of sites", async () => {
    const { sites } = (await (await fetch(`${server.url}/api/v2/sites`)).json()) as {
      sites: { site_id: string }[];
    };
    expect(sites.map(({ site_id }) => site_id)).toEqual(["example.com"]);
  });
});
