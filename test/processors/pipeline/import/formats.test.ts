/** Each format of lines: what becomes an event, what is left out, and what is reported. */
import { describe, expect, it } from "vitest";
import { csvParser } from "../../../../processors/pipeline/import/csv.ts";
import { detectFormat, isLog } from "../../../../processors/pipeline/import/detect.ts";
import { isAsset } from "../../../../processors/pipeline/import/request.ts";
import { parseMapping, timeOf } from "../../../../processors/pipeline/import/table.ts";
import { isTotals } from "../../../../processors/pipeline/import/totalstable.ts";
import { fastestMs } from "../../../kit/fastest.ts";
import { parsed } from "./kit.ts";

const AT = Date.UTC(2000, 9, 10, 20, 55, 36);
const LATER = Date.UTC(2024, 4, 1, 10);
const COMBINED = `203.0.113.9 - frank [10/Oct/2000:13:55:36 -0700] "GET /a?b=c HTTP/1.0" 200 2326 "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"`;
const CLOUDFRONT = `#Version: 1.0
#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header
2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.24\tGET\td111111abcdef8.cloudfront.net\t/a%2520b.html\t200\thttps://example.org/x%2520y\tMozilla/5.0%20(Windows%20NT%2010.0)\tutm_source=x%2526y\t-\tHit\tid\twww.example.com
`;
const S3 = `79a59df900b949e5 awsexamplebucket1 [06/Feb/2019:00:00:38 +0000] 192.0.2.3 79a59df900b949e5 891CE47D2EXAMPLE WEBSITE.GET.OBJECT index.html "GET /index.html HTTP/1.1" 200 - 11 11 70 10 "https://example.org/" "Mozilla/5.0 Firefox/120.0" - s9lzHYrFp76ZVxRcpX9+ SigV4 ECDHE-RSA-AES128-GCM-SHA256 AuthHeader www.example.com TLSV1.2 - -
79a59df900b949e5 awsexamplebucket1 [06/Feb/2019:00:01:00 +0000] - 79a59df900b949e5 3E57427F33A59F07 S3.EXPIRE.OBJECT old.html - - - - - - - - "-" "-" - - - - - - -
`;
const ALB = `https 2018-07-02T22:23:00.186641Z app/my-lb/50dc6c495c0c9188 [2001:db8::7]:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "GET https://www.example.com:443/a?x=1 HTTP/1.1" "Mozilla/5.0 Firefox/121.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:x "Root=1-58337281" "www.example.com" "arn" 1 2018-07-02T22:22:48.364000Z "authenticate,forward" "-" "-"
`;

describe("the combined log format", () => {
  it("gives address, time with its zone, page, status, referrer and agent", () => {
    expect(parsed("combined", COMBINED).rows).toEqual([
      {
        at: AT,
        ip: "203.0.113.9",
        agent: "Mozilla/4.08 [en] (Win98; I ;Nav)",
        url: "https://example.com/a?b=c",
        referrer: "http://www.example.com/start.html",
        kind: { n: "pageview", p: { status: "200" } },
      },
    ]);
  });

  it.each([
    [
      "a host with a port before the address",
      `shop.example:443 ${COMBINED}`,
      "https://shop.example/a?b=c",
      "203.0.113.9",
    ],
    [
      "an IPv6 address",
      COMBINED.replace("203.0.113.9", "2001:db8::1"),
      "https://example.com/a?b=c",
      "2001:db8::1",
    ],
    [
      "a chain of proxies",
      COMBINED.replace("203.0.113.9", "203.0.113.9, 10.0.0.1"),
      "https://example.com/a?b=c",
      "203.0.113.9",
    ],
    [
      "an absolute URL",
      COMBINED.replace("/a?b=c", "http://other.example/z"),
      "http://other.example/z",
      "203.0.113.9",
    ],
    ["no protocol", COMBINED.replace(" HTTP/1.0", ""), "https://example.com/a?b=c", "203.0.113.9"],
  ])("reads %s", (_, line, url, ip) => {
    expect(parsed("combined", line).rows).toMatchObject([{ url, ip }]);
  });

  it("unescapes quotes and bytes, and knows an escaped backslash before a quote", () => {
    const agent = (written: string): string | undefined =>
      parsed("combined", COMBINED.replace("Mozilla/4.08 [en] (Win98; I ;Nav)", written)).rows[0]?.agent;
    expect(agent(String.raw`a \"b\" c`)).toBe('a "b" c');
    expect(agent(String.raw`\xed\x95\x9c\x22`)).toBe('한"');
    expect(agent(String.raw`ends in \\`)).toBe("ends in \\");
  });

  it("takes a name for an address, but not what a collector of logs puts before the line", () => {
    const line = COMBINED.slice(COMBINED.indexOf("["));
    const begins = [
      "host.example.net - -",
      "Oct 10 13:55:36 web1 nginx: 192.0.2.1 - -",
      "web_1  | 192.0.2.1 - -",
    ];
    const { rows, bad } = parsed("combined", begins.map((begin) => `${begin} ${line}`).join("\n"));
    expect(rows.map(({ ip }) => ip)).toEqual(["host.example.net"]);
    expect(bad).toEqual([
      [2, "address: missing"],
      [3, "address: missing"],
    ]);
  });

  it("takes the common format for one without referrer and agent", () => {
    const common = COMBINED.slice(0, COMBINED.indexOf(' "http'));
    expect(parsed("combined", common).rows).toMatchObject([{ referrer: "", agent: "" }]);
  });

  it.each([
    ["POST", COMBINED.replace("GET", "POST"), "method"],
    ["a redirect", COMBINED.replace(" 200 ", " 301 "), "status"],
    ["an error", COMBINED.replace(" 200 ", " 500 "), "status"],
    ["a style sheet", COMBINED.replace("/a?b=c", "/a.CSS?v=1"), "asset"],
  ])("leaves %s out, and with all takes it with its method", (_, line, reason) => {
    expect(parsed("combined", line)).toMatchObject({ rows: [], skipped: [reason] });
    const { rows } = parsed("combined", line, { all: true });
    expect(rows[0]?.kind.p).toHaveProperty("method");
  });

  it.each([
    ["nonsense", "hello", "time"],
    ["a time of no month", COMBINED.replace("Oct", "Foo"), "time"],
    ["bytes of a handshake", COMBINED.replace("GET /a?b=c HTTP/1.0", "\\x16\\x03\\x01"), "request"],
    ["an empty request", COMBINED.replace("GET /a?b=c HTTP/1.0", "-"), "request"],
    ["an agent without end", COMBINED.slice(0, -1), "agent"],
  ])("reports %s by line and field, without the value", (_, line, field) => {
    const { rows, bad } = parsed("combined", `${COMBINED}\n${line}\n`);
    expect(rows).toHaveLength(1);
    expect(bad).toEqual([[2, expect.stringContaining(field)]]);
    expect(bad[0]?.[1]).not.toContain("hello");
  });
});

describe("logs of AWS", () => {
  it("CloudFront: fields by their names, encoded once less", () => {
    expect(parsed("cloudfront", CLOUDFRONT).rows).toMatchObject([
      {
        at: Date.UTC(2019, 11, 4, 21, 2, 31),
        ip: "192.0.2.24",
        url: "https://www.example.com/a%20b.html?utm_source=x%26y",
        referrer: "https://example.org/x%20y",
        agent: "Mozilla/5.0 (Windows NT 10.0)",
      },
    ]);
  });
  it("S3: requests of browsers, not what S3 does by itself", () => {
    const { rows, skipped, bad } = parsed("s3", S3);
    expect(rows).toMatchObject([
      { ip: "192.0.2.3", url: "https://www.example.com/index.html", referrer: "https://example.org/" },
    ]);
    expect(skipped).toEqual(["bookkeeping"]);
    expect(bad).toEqual([]);
  });
  it("ALB: the client without its port, the URL without the listener's", () => {
    expect(parsed("alb", ALB).rows).toMatchObject([
      { ip: "2001:db8::7", url: "https://www.example.com/a?x=1", at: Date.UTC(2018, 6, 2, 22, 23, 0, 186) },
    ]);
  });
});

describe("rows with names", () => {
  it("CSV: by synonyms of the header, cells over several lines, campaign and properties", () => {
    const csv = `Timestamp;Page URL;Referrer;User Agent;IP Address;utm_source;prop:plan\n2024-05-01T10:00:00Z;https://example.com/a;;Firefox;192.0.2.1;mail;"pro\nplus"\n2024-05-01 11:00:00;/b;;;;;\nsoon;/c;;;;;\n1;2\n`;
    const { rows, bad } = parsed("csv", csv);
    expect(rows).toMatchObject([
      {
        at: Date.UTC(2024, 4, 1, 10),
        url: "https://example.com/a?utm_source=mail",
        kind: { n: "pageview", p: { plan: "pro\nplus" } },
        ip: "192.0.2.1",
      },
      { at: Date.UTC(2024, 4, 1, 11), url: "https://example.com/b" },
    ]);
    expect(bad).toEqual([
      [5, expect.stringContaining("time")],
      [6, "row: 2 cells, the header has 7"],
    ]);
  });

  it("CSV: a head of empty lines is read at the price of any other", () => {
    const head = `${" \n".repeat(32_000)}time,url\n`;
    const options = { all: false, hostname: "example.com" };
    expect(fastestMs(() => csvParser(head, options), 100, 3)).toBeLessThan(100);
  });

  it("CSV: the header may come after empty lines and comments, and again; lines may end in two ways", () => {
    const csv = `\n# of May\ntime,url\n1714557600,"/a"\r\ntime,url\r\n1714557600,"/b"\r\n`;
    const { rows, bad } = parsed("csv", csv);
    expect(rows.map(({ url }) => url)).toEqual(["https://example.com/a", "https://example.com/b"]);
    expect(bad).toEqual([[2, "row: 1 cells, the header has 2"]]);
  });

  it("CSV: a column that is read and stands in the header twice is refused, one that is not is none of ours", () => {
    expect(() => parsed("csv", "time,url,note,url\n1714557600,/a,x,/b\n")).toThrow(
      'column "url" stands in the header twice',
    );
    const { rows } = parsed("csv", "time,url,note,note\n1714557600,/a,x,y\n");
    expect(rows).toHaveLength(1);
  });

  it("CSV: a quote that nothing closes costs its line alone", () => {
    const csv = `time,url\n1714557600,"/a\nb"\n\n1714557600,"/c\n1714557600,/d\n`;
    const { rows, bad } = parsed("csv", csv);
    expect(rows.map(({ url }) => url)).toEqual(["https://example.com/a\nb", "https://example.com/d"]);
    expect(bad).toEqual([[5, "row: a quote opens that nothing closes"]]);
    expect(isTotals('"date,visitors\n')).toBe(false);
  });

  it.each(["\n", "\r\n"])("CSV: two such quotes cost their lines, and not those between (%j)", (end) => {
    const lines = ["time,url,note", `1714557600,/a,"""one"" ${end}and two"`, '1714557600,/b,"open'];
    lines.push("1714557600,/c,fine", "", '1714557600,/d,"as well', "1714557600,/e,fine", "1714557600");
    const { rows, bad } = parsed("csv", lines.join(end));
    expect(rows.map(({ url }) => url)).toEqual(
      ["/a", "/c", "/e"].map((path) => `https://example.com${path}`),
    );
    const open = "row: a quote opens that nothing closes";
    expect(bad).toEqual([
      [4, open],
      [7, open],
      [9, "row: 1 cells, the header has 3"],
    ]);
  });

  it("CSV: by a mapping", () => {
    const mapping = parseMapping(
      '\uFEFF{"time": "When", "url": "Where", "name": "What", "props": {"size": "Größe"}}',
    );
    const { rows } = parsed("csv", "When,Where,What,Größe\n1714557600,https://example.com/,order,L\n", {
      mapping,
    });
    expect(rows).toMatchObject([{ at: 1_714_557_600_000, kind: { n: "order", p: { size: "L" } } }]);
    expect(() => parsed("csv", "When,Where,What\n", { mapping })).toThrow(
      'props.size is to be column "Größe"',
    );
  });

  it("NDJSON: by a mapping, of which an object may lack what it has nothing for", () => {
    const mapping = parseMapping(
      '{"time": "When", "url": "Where", "referrer": "From", "props": {"plan": "p"}}',
    );
    const lines =
      '{"When":1714557600,"Where":"/a"}\n{"When":1714557600,"Where":"/b","From":"https://x.example/","p":"pro"}\n{"Where":"/c"}\n';
    const { rows, bad } = parsed("ndjson", lines, { mapping });
    expect(rows).toMatchObject([
      { url: "https://example.com/a", referrer: "", kind: { p: {} } },
      { url: "https://example.com/b", referrer: "https://x.example/", kind: { p: { plan: "pro" } } },
    ]);
    expect(bad).toEqual([[3, expect.stringContaining("time: ")]]);
  });

  it("NDJSON: our own batches, reports in Plausible's form, and GA4 as BigQuery writes it", () => {
    const lines = [
      {
        s: "x",
        v: "anna",
        c: { u: "https://example.com/", l: "de" },
        e: [
          { n: "pageview", t: LATER },
          { n: "buy", t: LATER + 1, $: { amount: 3, currency: "EUR" } },
        ],
      },
      { s: "x", t: LATER, e: [null] },
      {
        n: "buy",
        u: "https://example.com/b",
        time: LATER,
        p: '{"plan":"pro"}',
        $: { amount: 3, currency: "EUR" },
        i: false,
      },
      { n: "engagement", u: "https://example.com/b", time: LATER, e: 3_000, sd: 50, w: 390 },
      {
        name: "signup",
        url: "https://example.com/s",
        domain: "example.com",
        timestamp: "2024-05-01T10:00:00Z",
        utm_source: "half a character \ud800",
        props: { plan: "pro" },
      },
      {
        event_timestamp: "1714557600000000",
        event_name: "page_view",
        user_pseudo_id: "1.2",
        event_params: [
          { key: "name", value: { string_value: "not the event's" } },
          { key: "url", value: { string_value: "https://example.com/not-the-page" } },
          { key: "page_location", value: { string_value: "https://example.com/ga" } },
        ],
      },
      {
        event_timestamp: "1714557600000000",
        event_name: "session_start",
        user_pseudo_id: "1.2",
        event_params: [{ key: "page_location", value: { string_value: "https://example.com/ga" } }],
      },
    ];
    const { rows, skipped, bad } = parsed(
      "ndjson",
      `${lines.map((line) => JSON.stringify(line)).join("\n")}\nnot json\n{"ann@example.com":1}\n`,
    );
    expect(rows).toMatchObject([
      { at: LATER, visitor: "anna", language: "de", kind: { n: "pageview" } },
      { at: LATER + 1, kind: { n: "buy" }, extra: { $: { amount: 3, currency: "EUR" } } },
      {
        kind: { n: "buy", p: { plan: "pro" }, i: false },
        extra: { $: { amount: "3", currency: "EUR" } },
      },
      { kind: { n: "engagement" }, extra: { ms: 3_000, sd: 50 }, width: 390 },
      { at: LATER, kind: { n: "signup", p: { plan: "pro" } } },
      { at: LATER, kind: { n: "pageview" }, visitor: "1.2", url: "https://example.com/ga" },
    ]);
    expect(skipped).toEqual(["bookkeeping"]);
    expect(bad).toEqual([
      [2, "e[0]: not an object"],
      [8, "line: not a JSON object"],
      [9, "fields: none tells the time, or none the page: name them with --map"],
    ]);
  });

  it("are requests where they have a method and a status", () => {
    const json = (status: number, uri: string): string =>
      JSON.stringify({
        time_iso8601: "2024-05-01T10:00:00+02:00",
        remote_addr: "192.0.2.1",
        request_method: "GET",
        request_uri: uri,
        args: "utm_source=x",
        status,
        http_user_agent: "Firefox",
      });
    const { rows, skipped } = parsed(
      "ndjson",
      [json(200, "/a?utm_source=x"), json(200, "/a.js"), json(500, "/a")].join("\n"),
    );
    expect(rows).toMatchObject([
      {
        at: Date.UTC(2024, 4, 1, 8),
        url: "https://example.com/a?utm_source=x",
        kind: { p: { status: "200" } },
      },
    ]);
    expect(skipped).toEqual(["asset", "status"]);
  });

  it("are requests as Caddy writes them too: its headers are lists", () => {
    const headers = { "User-Agent": ["Firefox"], Referer: ["https://x.example/"] };
    const request = {
      client_ip: "192.0.2.7",
      method: "GET",
      host: "www.example.com",
      uri: "/a?b=c",
      headers,
    };
    const { rows } = parsed("ndjson", JSON.stringify({ ts: LATER / 1_000, request, status: 200 }));
    const read = { ip: "192.0.2.7", agent: "Firefox", referrer: "https://x.example/" };
    expect(rows).toMatchObject([{ at: LATER, url: "https://www.example.com/a?b=c", ...read }]);
  });

  it("are a log where they are requests: tools are robots then, and who names no browser is one", () => {
    const json = (more: object): string =>
      JSON.stringify({ time: LATER, path: "/a", user_agent: "", ...more });
    const asked = json({ method: "GET", status: 200 });
    expect(isLog("ndjson", `{"level":"info","ts":1}\n${asked}`)).toBe(true);
    expect(isLog("ndjson", json({ name: "signup" }))).toBe(false);
    expect(isLog("csv", "time,path,method,status\n")).toBe(true);
    expect(isLog("csv", "time,path,name,method,status\n")).toBe(false);
    expect(parsed("ndjson", `${asked}\n${json({})}`).rows.map(({ agent }) => agent)).toEqual(["-", ""]);
  });

  it.each([
    [
      "Plausible",
      "date,visitors,pageviews,bounces,visits,visit_duration\n2024-01-01,3,5,1,3,20\n",
      /visitors, pageviews.*totals/,
    ],
    [
      "GA4",
      "# ----------------------------------------\n# Pages and screens\n# ----------------------------------------\n\nPage path,Views,Active users\n/,3,2\n",
      /GA4.*BigQuery/,
    ],
  ])("are refused where they are totals, as %s exports them", (_, head, message) => {
    expect(() => csvParser(head, { all: false, hostname: "example.com" })).toThrow(message);
  });
});

it.each([
  ["combined", COMBINED],
  ["cloudfront", CLOUDFRONT],
  ["s3", S3],
  ["alb", ALB],
  ["ndjson", '{"a":1}\n'],
  ["csv", "time,url\n1,2\n"],
])("a file is recognised by how it begins: %s", (format, head) => {
  expect(detectFormat(head)).toBe(format);
});

it("what looks like nothing known is refused with what to do", () => {
  expect(() => detectFormat("hello\nworld\n")).toThrow(/--format/);
});

it.each([
  ["/a/style.css", true],
  ["/logo.PNG?x=/a", true],
  ["/v1.2/", false],
  ["/feed.xml", false],
  ["/paper.pdf", false],
  ["/css", false],
  ["/a.b/c", false],
])("%s is an asset: %s", (target, expected) => {
  expect(isAsset(target)).toBe(expected);
});

it.each([
  ["2024-05-01T10:00:00+09:00", Date.UTC(2024, 4, 1, 1)],
  ["2024-05-01 10:00:00 UTC", Date.UTC(2024, 4, 1, 10)],
  ["1714557600.5", 1_714_557_600_500],
  [1_714_557_600_123, 1_714_557_600_123],
  [1_714_557_600_123_456n, 1_714_557_600_123],
  ["2024-05-01", undefined],
  ["2024-05-01 12:00:00.5+02", LATER + 500],
  ["01/May/2024:12:00:00 +0200", LATER],
  ["20240501", undefined],
  ["yesterday", undefined],
  ["2024-02-29T10:00:00Z", Date.UTC(2024, 1, 29, 10)],
  ["2026-02-29T10:00:00Z", undefined],
  ["2026-04-31 10:00:00+02:00", undefined],
  ["31/Apr/2026:12:00:00 +0200", undefined],
  ["01/May/2024:24:00:00 +0200", undefined],
  ["01/May/2024:12:60:00 +0200", undefined],
])("the time %s is %s", (raw, at) => {
  expect(timeOf(raw)).toBe(at);
});
