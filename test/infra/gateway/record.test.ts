/** Records that are made without rendering are those that the templates render, byte for byte. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ApiOptions, apiDocument, ingestMappings } from "../../../infra/api.ts";
import { type RecordRequest, recordWriter } from "../../../infra/local/gateway/record.ts";
import { compileTemplate } from "../../../infra/local/gateway/vtl.ts";
import { type IngestMapping, MAX_BODY_BYTES, putRecordTemplate } from "../../../infra/mapping.ts";
import { anyText } from "../../kit/texts.ts";
import { NOW, options, text64 } from "./kit.ts";

const local: ApiOptions = { ...options, ingestPath: "/stats/e" };
const mappings = Object.entries(ingestMappings(local));

function request(
  body: string,
  sent: Partial<RecordRequest> = {},
  agent = "curl/8",
  ip = "203.0.113.7",
): RecordRequest {
  const bytes = Buffer.from(body);
  return {
    body,
    bytes,
    json: body === "" ? {} : JSON.parse(body),
    headers: {},
    query: new URLSearchParams(),
    context: {
      extendedRequestId: "0b0c9f0e-1111-4222-8333-444455556666",
      requestId: "r",
      requestTimeEpoch: NOW,
      httpMethod: "POST",
      resourcePath: "/",
      identity: { sourceIp: ip, userAgent: agent },
      responseOverride: { header: {} },
    },
    ...sent,
  };
}

function rendered(template: ReturnType<typeof compileTemplate>, sent: RecordRequest) {
  const { PartitionKey, Data } = JSON.parse(template.render(sent, sent.context));
  return { key: PartitionKey, data: text64(Data) };
}

function written(mapping: IngestMapping, sent: RecordRequest) {
  const record = recordWriter(mapping)!(sent);
  return record && { key: record.partitionKey, data: Buffer.from(record.data).toString() };
}

/** Anything that a browser, a server or somebody with bad intentions may write. */
const text = fc.oneof(
  fc.constantFrom(
    "",
    "shop.example",
    "a\"b'c\\\\$x#if($a) ü😀",
    "x".repeat(300),
    "::ffff:203.0.113.7",
    "$util",
    "1,2",
  ),
  anyText({ maxLength: 40 }),
);

describe("a record that is made without rendering", () => {
  it.each(mappings)("is what the template of %s renders", (name, mapping) => {
    const source = Object.values(apiDocument(local).paths)
      .flatMap((path) => Object.values(path))
      .find(({ operationId }) => operationId === name)!["x-amazon-apigateway-integration"];
    const template = compileTemplate(source.requestTemplates!["application/json"]!);
    const asked = fc.record({
      s: text,
      v: text,
      d: text,
      domain: text,
      agent: text,
      origin: text,
      trace: text,
      page: text,
    });
    fc.assert(
      fc.property(asked, ({ s, v, d, domain, agent, origin, trace, page }) => {
        const sent = request(
          JSON.stringify({ s, ...(v === "" ? {} : { v }), d, domain, e: [{ n: "ü" }] }),
          {
            headers: { origin, "x-amzn-trace-id": trace, referer: page, "user-agent": agent },
            query: new URLSearchParams({ s, u: page }),
          },
          agent,
        );
        expect(written(mapping, sent)).toEqual(rendered(template, sent));
      }),
      { numRuns: 60 },
    );
  });

  const [, events] = mappings[0]!;
  const template = compileTemplate(putRecordTemplate(events));

  it.each([
    { what: "as large as may be", body: JSON.stringify({ s: "a" }).padEnd(MAX_BODY_BYTES) },
    { what: "a byte larger", body: JSON.stringify({ s: "a" }).padEnd(MAX_BODY_BYTES + 1) },
    { what: "empty", body: "" },
  ])("is the same for a body that is $what", ({ body }) => {
    const sent = request(body);
    expect(written(events, sent)).toEqual(rendered(template, sent));
  });

  it.each([{ s: 5 }, { s: { toString: "x" } }, { s: "a", v: ["x"] }])(
    "is left to the template for %j",
    (json) => {
      expect(written(events, request(JSON.stringify(json)))).toBeUndefined();
    },
  );

  it("is left to the template where somebody attests addresses", () => {
    expect(recordWriter({ ...events, clientAddress: { from: "cloudfront" } })).toBeUndefined();
    expect(recordWriter({ ...events, believeForwardedFor: true })).toBeUndefined();
  });
});
