/** The image that counts a page view. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { decodeRecord } from "../../../processors/pipeline/decode/record.ts";
import { NOW, type Running, startGateway } from "./kit.ts";

let running: Running;
beforeEach(async () => {
  running = await startGateway();
});
afterEach(() => running.gateway.close());

const load = (query: string, headers: Record<string, string> = {}) =>
  fetch(`${running.url}/p.gif?${query}`, { headers: { "user-agent": "Browser/1", ...headers } });

const decoded = () => {
  const { partitionKey, data } = running.records.at(-1)!;
  return { partitionKey, ...decodeRecord({ sequence: "1", partitionKey, data, arrivalAt: NOW }) };
};

it("answers with an image that nobody keeps, and counts a page view of the address it names", async () => {
  const response = await load(
    `s=example.com&u=${encodeURIComponent("https://example.com/a b?utm_source=mail&x=1")}&r=${encodeURIComponent("https://news.example/")}`,
  );
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("image/gif");
  expect(response.headers.get("cache-control")).toBe("no-store");
  const image = Buffer.from(await response.arrayBuffer());
  expect(image.toString("latin1").slice(0, 6)).toBe("GIF89a");
  expect([image.readUInt16LE(6), image.readUInt16LE(8), image.at(-1)]).toEqual([1, 1, 0x3b]);
  const { batches, partitionKey, agentText } = decoded();
  expect(batches).toMatchObject([
    {
      site: "example.com",
      events: [
        {
          name: "pageview",
          at: NOW,
          url: { hostname: "example.com", path: "/a b", query: { utm_source: "mail" } },
          referrer: "https://news.example/",
          interactive: true,
        },
      ],
      rejects: [],
    },
  ]);
  expect(agentText).toBe("Browser/1");
  expect(partitionKey).toBe("a:example.com:127.0.0.1:Browser1");
});

it("takes the page from the Referer when the address is not named", async () => {
  await load("s=example.com", { referer: "https://example.com/from-header" });
  expect(decoded().batches).toMatchObject([{ events: [{ url: { path: "/from-header" }, referrer: "" }] }]);
});

it.each([
  { query: "u=https://example.com/", reject: "malformed" },
  { query: "s=example.com&u=ftp://example.com/", reject: "invalid_url" },
  { query: "s=example.com", reject: "invalid_url" },
])("still shows the image for $query, and rejects it as $reject", async ({ query, reject }) => {
  expect((await load(query)).status).toBe(200);
  const { batches, reject: whole } = decoded();
  expect(whole?.reason ?? batches[0]!.rejects[0]!.reason).toBe(reject);
});

it.each([`"}`, "\\", "$ip", "#end", "\u0000", "é 글", "a&b=c"])(
  "carries %j through the template unharmed",
  async (text) => {
    await load(`s=example.com&u=${encodeURIComponent("https://example.com/")}&r=${encodeURIComponent(text)}`);
    const envelope = JSON.parse(new TextDecoder().decode(running.records[0]!.data));
    const body = JSON.parse(Buffer.from(envelope.body64, "base64").toString());
    expect(Buffer.from(body.r64, "base64").toString()).toBe(text);
  },
);

it("does not count a HEAD request", async () => {
  const response = await fetch(`${running.url}/p.gif?s=example.com`, { method: "HEAD" });
  expect([response.status, running.records.length]).toEqual([405, 0]);
});
