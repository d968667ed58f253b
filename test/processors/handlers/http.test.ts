import type { APIGatewayProxyEvent } from "aws-lambda";
import { describe, expect, it } from "vitest";
import { ClickstreamError, type ErrorCode } from "../../../processors/errors.ts";
import {
  answer,
  csvAnswer,
  header,
  jsonBody,
  parameterNames,
  refusal,
} from "../../../processors/handlers/http.ts";
import { refuseRepeated } from "../../../processors/parameters.ts";
import { StillRunning } from "../../../processors/pipeline/explore/running.ts";

const event = (over: Partial<APIGatewayProxyEvent>): APIGatewayProxyEvent =>
  ({ body: null, headers: {}, isBase64Encoded: false, ...over }) as APIGatewayProxyEvent;

describe("an answer", () => {
  it("has the same ETag for the same content and another for other content", () => {
    expect(answer({ visitors: 1 }).headers!.etag).toBe(answer({ visitors: 1 }).headers!.etag);
    expect(answer({ visitors: 1 }).headers!.etag).not.toBe(answer({ visitors: 2 }).headers!.etag);
  });

  it.each([
    { name: "the tag itself", known: (tag: string) => tag },
    { name: "its weak form", known: (tag: string) => `W/${tag}` },
    { name: "a list that holds it", known: (tag: string) => `"other", ${tag}` },
  ])("is 304 without a body for $name", ({ known }) => {
    const tag = String(answer({ visitors: 1 }).headers!.etag);
    expect(answer({ visitors: 1 }, known(tag))).toMatchObject({ statusCode: 304, body: "" });
  });

  it("keeps its tag when nothing but the time of the answer changed", () => {
    expect(answer({ visitors: 1, now: 1 }).headers!.etag).toBe(answer({ visitors: 1, now: 2 }).headers!.etag);
    expect(answer({ visitors: 1, now: 1 }).body).toContain('"now":1');
  });

  it("is 200 when it changed since", () => {
    const tag = String(answer({ visitors: 1 }).headers!.etag);
    expect(answer({ visitors: 2 }, tag)).toMatchObject({ statusCode: 200, body: '{"visitors":2}' });
  });

  it("is refused where it is larger than Lambda answers, which is a text within JSON", async () => {
    const LAMBDA_BYTES = 6_291_556;
    const row = '"/a",1\r\n';
    const csv = (rows: number) =>
      csvAnswer({
        disposition: "",
        lines: (async function* () {
          for (let left = rows; left > 0; left -= 1_000) yield row.repeat(Math.min(left, 1_000));
        })(),
      });
    const json = async (rows: number) => answer({ rows: Array<string>(rows).fill("/a") });
    for (const [make, fits, tooMany] of [
      [csv, 450_000, 740_000],
      [json, 700_000, 1_000_000],
    ] as const) {
      expect(Buffer.byteLength(JSON.stringify(await make(fits)))).toBeLessThan(LAMBDA_BYTES);
      await expect(make(tooMany).then(() => "answered")).rejects.toMatchObject({ code: "bad_request" });
    }
  });

  it("is asked for again each time: numbers move", () => {
    expect(answer({}).headers!["cache-control"]).toBe("no-cache");
  });
});

describe("a refusal", () => {
  const STATUS: Record<ErrorCode, number> = {
    bad_request: 400,
    no_archive: 400,
    unauthorized: 401,
    forbidden: 403,
    not_found: 404,
    throttled: 503,
    unavailable: 503,
    invariant: 500,
    config: 500,
  };

  it("is none while the archive is still being read: the client comes again", () => {
    const running = new StillRunning({ done: undefined, elapsedMs: 8_000 });
    const { statusCode, headers, body } = refusal(running, "id-1");
    expect(statusCode).toBe(202);
    expect(headers).toMatchObject({ "retry-after": "1" });
    expect(JSON.parse(body)).toEqual({ progress: { done: null, elapsed_ms: 8_000 } });
  });

  it.each(Object.entries(STATUS) as [ErrorCode, number][])("of %s is %i", (code, status) => {
    expect(refusal(new ClickstreamError(code, "why"), "id-1").statusCode).toBe(status);
  });

  it("names what only an archive could tell, for pages that have words of their own for it", () => {
    const { body } = refusal(new ClickstreamError("no_archive", "filters: not from rollups"), "id-1");
    expect(JSON.parse(body)).toEqual({ error: "filters: not from rollups", code: "no_archive" });
  });

  it("tells callers what they can mend", () => {
    const { body } = refusal(new ClickstreamError("bad_request", "metrics[0]: unknown"), "id-1");
    expect(JSON.parse(body)).toEqual({ error: "metrics[0]: unknown" });
  });

  it.each([
    new ClickstreamError("unavailable", "arn:aws:dynamodb:eu-west-1:123456789012:table/clicks"),
    new ClickstreamError("not_found", "arn:aws:dynamodb:eu-west-1:123456789012:table/clicks", {
      cause: new Error("404"),
    }),
    new ClickstreamError("invariant", "arn:aws:dynamodb:eu-west-1:123456789012:table/clicks"),
    new TypeError("arn:aws:dynamodb:eu-west-1:123456789012:table/clicks"),
    "arn:aws:dynamodb:eu-west-1:123456789012:table/clicks",
  ])("keeps our own trouble to the log and gives the request's id (%s)", (error) => {
    const { body } = refusal(error, "id-1");
    expect(body).not.toContain("123456789012");
    expect(JSON.parse(body).request_id).toBe("id-1");
  });

  it("asks to come back when the store is busy", () => {
    expect(refusal(new ClickstreamError("throttled", "slow"), "id-1").headers!["retry-after"]).toBe("1");
  });
});

describe("a request", () => {
  it("has its body as JSON, in base64 too", () => {
    const text = '{"site_id":"한국"}';
    const encoded = Buffer.from(text).toString("base64");
    expect(jsonBody(event({ body: text }))).toEqual({ site_id: "한국" });
    expect(jsonBody(event({ body: encoded, isBase64Encoded: true }))).toEqual({ site_id: "한국" });
  });

  it.each([null, "", "{", "\u0000"])("with body %j is a bad request that says so", (body) => {
    expect(() => jsonBody(event({ body }))).toThrow(
      expect.objectContaining({ code: "bad_request", message: expect.stringContaining("body") }),
    );
  });

  it("is refused with a parameter that is given twice", () => {
    const twice = event({ multiValueQueryStringParameters: { share: ["a"], site_id: ["a", "b"] } });
    expect(() => refuseRepeated(parameterNames(twice))).toThrow("site_id: given more than once");
    expect(() =>
      refuseRepeated(parameterNames(event({ multiValueQueryStringParameters: { site_id: ["a"] } }))),
    ).not.toThrow();
    expect(() =>
      refuseRepeated(parameterNames(event({ multiValueQueryStringParameters: null }))),
    ).not.toThrow();
  });

  it("has headers whatever their case, and may have none", () => {
    expect(header(event({ headers: { "If-None-Match": '"a"' } }), "if-none-match")).toBe('"a"');
    expect(header(event({ headers: null as never }), "if-none-match")).toBeUndefined();
  });
});
