/** The mapping templates of the ingest routes, rendered as API Gateway does, and what Kinesis says to the result. */
import type { createServer } from "node:http";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileTemplate, type Template, type TemplateContext } from "../../infra/local/gateway/vtl.ts";
import {
  type ClientAddress,
  MAX_BODY_BYTES,
  putRecordTemplate,
  refusalTemplate,
} from "../../infra/mapping.ts";
import { listening } from "../kit/listening.ts";
import { anyText } from "../kit/texts.ts";
import { NOW, text64 } from "./gateway/kit.ts";

const ADDRESS = "203.0.113.7";

interface Sent {
  body?: string;
  headers?: Record<string, string>;
  query?: string;
  agent?: string;
  from?: ClientAddress;
}

const contextOf = (agent = "curl/8"): TemplateContext => ({
  extendedRequestId: "JKJaXmPLvHcESHA=",
  requestId: "r",
  requestTimeEpoch: NOW,
  httpMethod: "POST",
  resourcePath: "/v1/events",
  identity: { sourceIp: ADDRESS, userAgent: agent },
  responseOverride: { header: {} },
});

/** Each kind of template is compiled once, as at the gateway. */
const templates = new Map<ClientAddress, Template>();
function templateFor(clientAddress: ClientAddress): Template {
  const kept = templates.get(clientAddress);
  if (kept !== undefined) return kept;
  const source = {
    route: "/v1/events",
    siteKeys: ["s"],
    visitorKey: "v",
    streamName: "clicks",
    clientAddress,
  };
  const made = compileTemplate(putRecordTemplate(source));
  templates.set(clientAddress, made);
  return made;
}
const connection: ClientAddress = { from: "connection" };

function render(sent: Sent) {
  const template = templateFor(sent.from ?? connection);
  const body = sent.body ?? '{"s":"example.com","e":[]}';
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    json = undefined;
  }
  const query = new URLSearchParams(sent.query ?? "");
  const text = template.render({ body, json, headers: sent.headers ?? {}, query }, contextOf(sent.agent));
  const request = JSON.parse(text) as { StreamName: string; PartitionKey: string; Data: string };
  return { request, key: request.PartitionKey, envelope: JSON.parse(text64(request.Data)) };
}

describe("the PutRecord template", () => {
  it("fills every field of the envelope", () => {
    const { request, envelope } = render({
      headers: { "x-amzn-trace-id": "Root=1-aa", origin: "https://example.com" },
    });
    expect(request.StreamName).toBe("clicks");
    expect(envelope).toEqual({
      route: "/v1/events",
      id: "JKJaXmPLvHcESHA=",
      at: NOW,
      ip: ADDRESS,
      ua64: Buffer.from("curl/8").toString("base64"),
      country: "",
      trace64: Buffer.from("Root=1-aa").toString("base64"),
      origin64: Buffer.from("https://example.com").toString("base64"),
      body64: Buffer.from('{"s":"example.com","e":[]}').toString("base64"),
    });
  });

  const awkward = {
    quotes: `he said "hi" and 'bye'`,
    "Korean and accents": "안녕하세요 café",
    emoji: "👩‍👩‍👧‍👦🏳️‍🌈",
    "template references": `$x \${q} $!env $util.base64Encode($input.body) $$`,
    directives: "#set($a=1) #if(true)x#end ## comment #* block *#",
    backslashes: "\\ \\\\ \\u0041 \\n \\$x",
    "control characters": "a\u0000b\u0001c\n\t\r\u2028",
    "four kilobytes": "Mozilla/5.0 ".repeat(350),
    nothing: "",
  };
  it.each(Object.entries(awkward))("carries %s byte for byte, in the body and in the agent", (_, text) => {
    const body = JSON.stringify({ s: "example.com", p: text, e: [] });
    const { envelope, key } = render({ body, agent: text, headers: { origin: text } });
    expect(text64(envelope.body64)).toBe(body);
    expect(text64(envelope.ua64)).toBe(text);
    expect(text64(envelope.origin64)).toBe(text);
    expect(key).toMatch(/^[\x21-\x7e]{1,256}$/);
  });

  it("carries any text at all, and always makes a key that Kinesis takes", () => {
    fc.assert(
      fc.property(anyText(), anyText(), anyText(), (site, visitor, agent) => {
        const body = JSON.stringify({ s: site, v: visitor, e: [] });
        const { envelope, key } = render({ body, agent });
        expect(text64(envelope.body64)).toBe(body);
        expect(text64(envelope.ua64)).toBe(Buffer.from(agent).toString());
        expect(key).toMatch(/^[\x21-\x7e]{1,256}$/);
      }),
      { numRuns: 300 },
    );
  });

  it("shows an empty body as API Gateway does, as an empty object", () => {
    expect(text64(render({ body: "" }).envelope.body64)).toBe("{}");
  });
});

describe("the partition key", () => {
  const body = (fields: object) => JSON.stringify({ s: "example.com", e: [], ...fields });

  it("is the site and the visitor id, where there is one, whatever the address", () => {
    const one = render({ body: body({ v: "u1" }), agent: "A" });
    const two = render({ body: body({ v: "u1", t: 5 }), agent: "B" });
    expect(one.key).toBe(two.key);
    expect(render({ body: body({ v: "u2" }) }).key).not.toBe(one.key);
    expect(render({ body: body({ s: "other.com", v: "u1" }) }).key).not.toBe(one.key);
  });

  it.each([
    ["absent", {}],
    ["empty", { v: "" }],
    ["null", { v: null }],
    ["too long to be an id", { v: "x".repeat(129) }],
  ])("is address and agent when the visitor id is %s", (_, fields) => {
    expect(render({ body: body(fields), agent: "Agent/1 (X)" }).key).toBe(`a:example.com:${ADDRESS}:Agent1X`);
  });

  it("tells visitor ids apart that hold no letter of ASCII, up to the longest", () => {
    const keys = ["김철수", "이영희", "👩", "é"].map((v) => render({ body: body({ v }) }).key);
    expect(new Set(keys).size).toBe(keys.length);
    expect(render({ body: body({ v: `${"a".repeat(127)}1` }) }).key).not.toBe(
      render({ body: body({ v: `${"a".repeat(127)}2` }) }).key,
    );
  });

  it("never lets the site's length push the visitor out", () => {
    const s = "s".repeat(253);
    expect(render({ body: body({ s, v: "u1" }) }).key).not.toBe(render({ body: body({ s, v: "u2" }) }).key);
  });
});

interface AddressCase {
  name: string;
  from: ClientAddress;
  headers: Record<string, string>;
  ip: string;
  country: string;
}

describe("the client's address", () => {
  const viewer = {
    "cloudfront-viewer-address": "198.51.100.9:46532",
    "cloudfront-viewer-country": "KR",
    "x-forwarded-for": "6.6.6.6, 198.51.100.9",
  };
  const proof = { header: "X-Edge-Proof", value: "s3cret" };

  const cases: AddressCase[] = [
    {
      name: "the connection's, without a distribution",
      from: { from: "connection" },
      headers: viewer,
      ip: ADDRESS,
      country: "",
    },
    {
      name: "the viewer's, behind a distribution",
      from: { from: "cloudfront" },
      headers: viewer,
      ip: "198.51.100.9",
      country: "KR",
    },
    {
      name: "the viewer's over IPv6",
      from: { from: "cloudfront" },
      headers: { ...viewer, "cloudfront-viewer-address": "2001:db8::1:46532" },
      ip: "2001:db8::1",
      country: "KR",
    },
    {
      name: "the connection's, when the distribution's headers are missing",
      from: { from: "cloudfront" },
      headers: {},
      ip: ADDRESS,
      country: "",
    },
    {
      name: "the connection's, when the header holds no address and port",
      from: { from: "cloudfront" },
      headers: { "cloudfront-viewer-address": "nonsense" },
      ip: ADDRESS,
      country: "",
    },
    {
      name: "the viewer's with the proof",
      from: { from: "cloudfront", proof },
      headers: { ...viewer, "x-edge-proof": "s3cret" },
      ip: "198.51.100.9",
      country: "KR",
    },
    {
      name: "the connection's without the proof",
      from: { from: "cloudfront", proof },
      headers: viewer,
      ip: ADDRESS,
      country: "",
    },
    {
      name: "the connection's with a wrong proof",
      from: { from: "cloudfront", proof },
      headers: { ...viewer, "x-edge-proof": "" },
      ip: ADDRESS,
      country: "",
    },
    {
      name: "free of anything that could leave its quotes",
      from: { from: "cloudfront" },
      headers: { "cloudfront-viewer-address": '1.2.3.4","x":":1', "cloudfront-viewer-country": 'K"R' },
      ip: "1.2.3.4:",
      country: "KR",
    },
  ];
  it.each(cases)("is $name", ({ from, headers, ip, country }) => {
    expect(render({ from, headers }).envelope).toMatchObject({ ip, country });
  });

  it("is found however the sender spells the headers, though API Gateway compares them exactly", () => {
    const source = putRecordTemplate({
      route: "/v1/events",
      siteKeys: ["s"],
      streamName: "clicks",
      clientAddress: { from: "cloudfront", proof },
    });
    for (const header of [
      "X-Edge-Proof",
      "CloudFront-Viewer-Address",
      "CloudFront-Viewer-Country",
      "Origin",
    ]) {
      expect(source).toContain(`get('${header}')`);
      expect(source).toContain(`get('${header.toLowerCase()}')`);
    }
  });

  it("cannot be set from the query string", () => {
    const query = "CloudFront-Viewer-Address=6.6.6.6:1&CloudFront-Viewer-Country=XX";
    const { envelope } = render({ from: { from: "cloudfront" }, query });
    expect(envelope).toMatchObject({ ip: ADDRESS, country: "" });
  });
});

describe("Kinesis and the templates", () => {
  // kinesalite is the nearest to Kinesis that runs here; it checks requests by the service's own rules.
  let url = "";
  let close = async (): Promise<void> => {};

  beforeAll(async () => {
    const { default: kinesalite } = (await import("kinesalite" as string)) as {
      default: (options: object) => ReturnType<typeof createServer>;
    };
    const server = kinesalite({ createStreamMs: 0, ssl: false });
    const { origin, close: closeServer } = await listening(server);
    url = `${origin}/`;
    close = closeServer;
    await call("CreateStream", JSON.stringify({ StreamName: "clicks", ShardCount: 1 }));
    while (!JSON.stringify(await call("DescribeStream", '{"StreamName":"clicks"}')).includes("ACTIVE")) {
      // The stream becomes active on the server's next turns; asking is what lets them pass.
    }
  });
  afterAll(() => close());

  async function call(
    action: string,
    body: string,
  ): Promise<{ status: number; json: Record<string, string> }> {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": `Kinesis_20131202.${action}`,
        "x-amz-date": "20260101T000000Z",
        authorization:
          "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=b",
      },
      body,
    });
    const text = await response.text();
    return { status: response.status, json: text === "" ? {} : JSON.parse(text) };
  }

  function refusal(json: Record<string, string>) {
    const context = contextOf();
    const body = compileTemplate(refusalTemplate).render(
      { body: JSON.stringify(json), json, headers: {} },
      context,
    );
    return { ...context.responseOverride, body: JSON.parse(body.trim()) };
  }

  it("takes what is rendered, and gives the same bytes back", async () => {
    const { request, envelope } = render({ body: '{"s":"예시","v":"김","e":[]}', agent: "\"\\$#'" });
    expect((await call("PutRecord", JSON.stringify(request))).status).toBe(200);
    expect(text64(envelope.ua64)).toBe("\"\\$#'");
  });

  it.each([
    { bytes: MAX_BODY_BYTES - 1, status: 200 },
    { bytes: MAX_BODY_BYTES, status: 200 },
    { bytes: MAX_BODY_BYTES + 1, status: 400 },
    { bytes: MAX_BODY_BYTES + 2, status: 400 },
    { bytes: MAX_BODY_BYTES * 3, status: 400 },
  ])("answers $status to a body of $bytes bytes, to the byte", async ({ bytes, status }) => {
    const rest = '{"s":"example.com","e":[],"x":""}'.length;
    const { request } = render({ body: `{"s":"example.com","e":[],"x":"${"x".repeat(bytes - rest)}"}` });
    const answer = await call("PutRecord", JSON.stringify(request));
    expect(answer.status).toBe(status);
    if (status === 400) expect(refusal(answer.json).status).toBe(413);
  });

  it("counts the limit in bytes of UTF-8, not in characters", () => {
    const body = `{"s":"example.com","e":[],"x":"${"가".repeat(MAX_BODY_BYTES / 3)}"}`;
    expect(body.length).toBeLessThan(MAX_BODY_BYTES);
    expect(render({ body }).key).toBe("");
  });

  it("makes a missing stream our fault, to be tried again, and not the sender's", async () => {
    const { request } = render({});
    const answer = await call("PutRecord", JSON.stringify({ ...request, StreamName: "nowhere" }));
    expect(answer.status).toBe(400);
    expect(refusal(answer.json)).toMatchObject({ status: 500, header: {} });
  });

  it.each([
    "ProvisionedThroughputExceededException",
    "com.amazonaws.kinesis#LimitExceededException",
    "KMSThrottlingException",
  ])("makes %s a 503 with Retry-After, without a word of Kinesis' message", (type) => {
    const message =
      "Rate exceeded for shard shardId-000000000000 in stream clicks under account 123456789012.";
    const answer = refusal({ __type: type, message });
    // The route's own status is 503, so none is set here.
    expect(answer).toMatchObject({ header: { "Retry-After": "1" } });
    expect(answer.status).toBeUndefined();
    expect(JSON.stringify(answer.body)).not.toMatch(/shard|account|\d{6}/);
  });
});
