/** The reading API of the shipped server: its document, its keys and links, its limits and its CSV, from outside. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileSchema } from "../../../infra/local/gateway/schema.ts";
import { MAX_BODY_BYTES } from "../../../infra/mapping.ts";
import type { Schema } from "../../../infra/openapi.ts";
import { runHere } from "../../kit/command.ts";
import { poll, runCommand, type ServerProcess, startServer } from "../../kit/server.ts";
import { temporaryDirectory } from "../../kit/temporary.ts";

const data = temporaryDirectory();
let open: ServerProcess;
const guarded: ServerProcess[] = [];

const ask = (url: string, path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(new URL(path, url), { headers });
const query = (url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(new URL("/api/v2/query", url), {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });
const total = (site: string) => ({ site_id: site, metrics: ["events"], date_range: "7d" });
const events = async (url: string, site: string, headers = {}): Promise<unknown> => {
  const response = await query(url, total(site), headers);
  return response.ok ? ((await response.json()) as Answer).results[0]?.metrics[0] : response.status;
};
interface Answer {
  results: { metrics: unknown[]; dimensions: string[] }[];
}

/** One batch with a page view and a sale; resolves with the server's status. */
async function send(url: string, site: string): Promise<number> {
  const c = { u: `https://${site}/=cmd?utm_source=news`, r: "https://duckduckgo.com/" };
  const e = [
    { n: "pageview" },
    { n: "sale", p: { plan: "pro" }, $: { amount: 12.5, currency: "EUR" } },
    { n: "vitals", m: { lcp: 1200, cls: 0.05 } },
  ];
  const response = await fetch(new URL("/v1/events", url), {
    method: "POST",
    headers: { "User-Agent": "Mozilla/5.0 (X11; Linux x64; rv:140.0) Gecko/20100101 Firefox/140.0" },
    body: JSON.stringify({ s: site, b: randomUUID(), t: Date.now(), c, e }),
  });
  return response.status;
}

/** Runs a command on the data and returns all that it printed. */
async function rivulet(...args: string[]): Promise<string> {
  const { code, output } = await runHere([...args, "--data", data]);
  if (code !== 0) throw new Error(output);
  return output;
}
const tokenIn = (output: string): string => /rv[ks]_[0-9a-f]{12}_[0-9a-f]{64}/.exec(output)?.[0] ?? "";

beforeAll(async () => {
  open = await startServer({ data, args: ["--site", "shop@Asia/Seoul", "--site", "blog"] });
  for (const site of ["shop", "blog"]) expect(await send(open.url, site)).toBe(204);
  await poll(async () => (await events(open.url, "shop")) === 2 && (await events(open.url, "blog")) === 2, {
    within: 5_000,
    what: "the events",
  });
});
afterAll(async () => {
  for (const server of [open, ...guarded]) await server?.stop();
});

describe("the published document", () => {
  interface Published {
    openapi: string;
    paths: Record<
      string,
      Record<string, { responses: Record<string, { content?: Record<string, { schema: Schema }> }> }>
    >;
    components: { schemas: Record<string, Schema> };
  }
  let document: Published;
  beforeAll(async () => {
    document = (await (await ask(open.url, "/api/openapi.json")).json()) as Published;
  });

  it("says nothing of API Gateway, and every reference in it leads somewhere", () => {
    const text = JSON.stringify(document);
    expect(document.openapi).toBe("3.0.1");
    expect(text).not.toContain("x-amazon");
    expect(text).not.toContain("arn:");
    const names = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
      ([, name]) => name ?? "",
    );
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) expect(document.components.schemas).toHaveProperty(name);
  });

  const base = { site_id: "shop", metrics: ["visitors", "events"], date_range: "7d" };
  it.each<[string, number, () => Promise<Response>]>([
    ["totals", 200, () => query(open.url, base)],
    [
      "money and percentiles",
      200,
      () =>
        query(open.url, {
          ...base,
          metrics: ["total_revenue", "average_revenue", "lcp_p75", "scroll_depth"],
        }),
    ],
    [
      "a breakdown",
      200,
      () =>
        query(open.url, {
          ...base,
          dimensions: ["visit:source"],
          filters: [["not", ["is", "visit:source", ["x"], { case_sensitive: false }]]],
        }),
    ],
    [
      "a series with every extra",
      200,
      () =>
        query(open.url, {
          ...base,
          dimensions: ["time:day", "event:page"],
          include: { time_labels: true, total_rows: true, compare: "previous_period" },
        }),
    ],
    [
      "a comparison",
      200,
      () => query(open.url, { ...base, dimensions: ["time:day"], include: { compare: "year_over_year" } }),
    ],
    [
      "a comparison with fewer buckets",
      200,
      () =>
        query(open.url, {
          ...base,
          dimensions: ["time:day"],
          include: { compare: ["2026-01-01", "2026-01-02"] },
        }),
    ],
    ["a remark", 200, () => query(open.url, { ...base, metrics: ["lcp_p75"], dimensions: ["visit:source"] })],
    ["a field that is wrong", 400, () => query(open.url, { ...base, metrics: ["joy"] })],
    ["no JSON", 400, () => fetch(new URL("/api/v2/query", open.url), { method: "POST", body: "{" })],
    ["a site that is none", 404, () => query(open.url, { ...base, site_id: "nobody" })],
    ["a wrong key", 401, () => query(open.url, base, bearer("wrong"))],
    ["too long a body", 413, () => query(open.url, "x".repeat(MAX_BODY_BYTES))],
  ])("describes the answer to a query exactly: %s", async (_, status, asked) => {
    await expectDocumented("/api/v2/query", "post", status, await asked());
  });

  it.each<[string, string, number]>([
    ["/api/v2/live", "?site_id=shop", 200],
    ["/api/v2/live", "?site_id=nobody", 404],
    ["/api/v2/live", "", 400],
    ["/api/v2/sites", "", 200],
    ["/api/v2/sites", "?share=wrong", 401],
    ["/api/v2/export.csv", "?site_id=shop", 400],
    ["/api/v2/live", "?site_id=shop&site_id=other", 400],
    ["/api/openapi.json", "", 200],
  ])("describes the answer of %s%s with %d exactly", async (path, search, status) => {
    await expectDocumented(path, "get", status, await ask(open.url, path + search));
  });

  async function expectDocumented(
    path: string,
    method: string,
    status: number,
    response: Response,
  ): Promise<void> {
    const body = await response.json();
    expect(response.status, JSON.stringify(body)).toBe(status);
    const schema = document.paths[path]?.[method]?.responses[status]?.content?.["application/json"]?.schema;
    if (!schema) throw new Error(`${method} ${path} does not document ${status}`);
    expect(compileSchema(schema, document.components.schemas)(body), JSON.stringify(body)).toBeUndefined();
  }

  it("would notice a field that it does not name", async () => {
    const body = (await (await query(open.url, base)).json()) as { meta: Record<string, unknown> };
    body.meta.mood = "good";
    const check = compileSchema({ $ref: "#/components/schemas/QueryResult" }, document.components.schemas);
    expect(check(body)).toMatch(/meta\.mood/);
  });
});

describe("CSV over HTTP", () => {
  it("is a download of the rows that the query has, safe for spreadsheets", async () => {
    const search = new URLSearchParams({
      site_id: "shop",
      date_range: "7d",
      metrics: "events,total_revenue",
      dimensions: "event:page",
    });
    const response = await ask(open.url, `/api/v2/export.csv?${search}`);
    expect(response.headers.get("content-type")).toBe("text/csv; charset=utf-8; header=present");
    expect(response.headers.get("content-disposition")).toMatch(/^attachment; filename="shop \d{4}-/);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(await response.text()).toBe(
      "event:page,events,total_revenue,total_revenue_currency\r\n/=cmd,2,12.5,EUR\r\n",
    );
  });

  it("has a line for every bucket of a series up to now", async () => {
    const address = "/api/v2/export.csv?site_id=shop&date_range=30d&metrics=events&dimensions=time:day";
    const lines = (await (await ask(open.url, address)).text()).trimEnd().split("\r\n");
    expect(lines).toHaveLength(31);
    expect(lines[1]).toMatch(/^\d{4}-\d\d-\d\d,0$/);
    expect(lines.at(-1)).toMatch(/,2$/);
  });

  it.each(["site_id=shop&site_id=blog", "site_id=shop&metrics=events&date_range=7d&dimensions=event:joy"])(
    "is refused for %s",
    async (search) => {
      expect((await ask(open.url, `/api/v2/export.csv?${search}`)).status).toBe(400);
    },
  );
});

describe("a server that requires keys", () => {
  let url: string;
  let key: string;
  let share: string;
  beforeAll(async () => {
    await open.stop();
    key = tokenIn(await rivulet("keys", "add", "--site", "shop", "--label", "grafana"));
    share = tokenIn(await rivulet("share", "add", "--site", "shop", "--days", "1"));
    const server = await startServer({ data, args: ["--require-key"] });
    guarded.push(server);
    url = server.url;
  });

  it.each([
    "/api/v2/sites",
    "/api/v2/live?site_id=shop",
    "/api/v2/export.csv?site_id=shop&metrics=events&date_range=day",
  ])("answers %s with 401 without one, and says how to show one", async (path) => {
    const response = await ask(url, path);
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    expect((await ask(url, path, bearer(key))).status).toBe(200);
  });

  it("shows a key's holder that site and no other", async () => {
    expect(await (await ask(url, "/api/v2/sites", bearer(key))).json()).toEqual({
      sites: [{ site_id: "shop", time_zone: "Asia/Seoul" }],
    });
    expect(await events(url, "shop", bearer(key))).toBe(2);
    for (const other of ["blog", "nobody", "shop/", "shop%00", "Shop", "../shop", "shop\u0000", "ѕhop"])
      expect(await events(url, other, bearer(key)), other).toBe(403);
    for (const other of ["blog", "%62log", "shop%2F", "shop%00", "sho%70x", "%E2%80%8Bshop"])
      expect((await ask(url, `/api/v2/live?site_id=${other}`, bearer(key))).status, other).toBe(403);
    expect((await ask(url, "/api/v2/live?site_id=%73hop", bearer(key))).status).toBe(200);
    expect((await ask(url, "/api/v2/live?site_id=shop&site_id=blog", bearer(key))).status).toBe(400);
  });

  it("lets a share link read, in the address and in the header", async () => {
    expect((await ask(url, `/api/v2/live?site_id=shop&share=${share}`)).status).toBe(200);
    expect((await ask(url, "/api/v2/live?site_id=shop", bearer(share))).status).toBe(200);
    expect((await ask(url, `/api/v2/live?site_id=blog&share=${share}`)).status).toBe(403);
    expect((await ask(url, `/api/v2/live?site_id=shop&share=${key}`)).status).toBe(401);
  });

  it("takes events, serves pages and says that it is well without a key, and shows no traces", async () => {
    expect(await send(url, "blog")).toBe(204);
    for (const path of ["/", "/healthz", "/c.js", "/api/openapi.json"])
      expect((await ask(url, path)).status, path).toBe(200);
    for (const path of ["/traces", "/traces.json"]) expect((await ask(url, path)).status, path).toBe(404);
  });

  it("notices keys and sites that are added and removed while it runs", async () => {
    await rivulet("sites", "add", "news@Europe/Paris");
    const added = tokenIn(await rivulet("keys", "add", "--site", "news"));
    await poll(
      async () => (await send(url, "news")) === 204 && (await events(url, "news", bearer(added))) !== 404,
      {
        within: 6_000,
        what: "the new site",
      },
    );
    const id = added.split("_")[1]!;
    expect(await rivulet("keys", "list", "--site", "news")).toContain(id);
    await rivulet("keys", "rm", id, "--site", "news");
    await poll(async () => (await events(url, "news", bearer(added))) === 401, {
      within: 6_000,
      what: "the key to be refused",
      every: 200,
    });

    const counted = await events(url, "shop", bearer(key));
    expect(await rivulet("sites", "rm", "shop")).toContain("kept");
    await poll(async () => (await events(url, "shop", bearer(key))) === 404, {
      within: 6_000,
      what: "the site to be gone",
      every: 200,
    });
    await rivulet("sites", "add", "shop");
    await poll(async () => (await events(url, "shop", bearer(key))) === counted, {
      within: 6_000,
      what: "the site with its numbers to be back",
      every: 200,
    });
  });
});

describe("a server that others reach", () => {
  it("requires keys behind a proxy, under the name that browsers use, though it listens on loopback", async () => {
    const address = "https://stats.shop.example";
    const server = await startServer({ data, args: ["--url", address] });
    try {
      expect(server.output()).toContain(`Dashboard  ${address}/?site=`);
      expect(server.output()).toContain(`src="${address}/c.js"`);
      expect((await ask(server.url, "/api/v2/sites")).status).toBe(401);
    } finally {
      await server.stop();
    }
  });

  it("requires keys by itself, and limits how often one may ask", async () => {
    const server = await startServer({ data, args: ["--host", "0.0.0.0", "--rate-limit", "2"] });
    try {
      expect(server.output()).toContain("rivulet share add --site");
      const statuses = await Promise.all(
        Array.from({ length: 60 }, async () => {
          const response = await ask(server.url, "/api/v2/sites");
          return [response.status, response.headers.get("retry-after")] as const;
        }),
      );
      expect(statuses.filter(([status]) => status === 401).length).toBeGreaterThanOrEqual(20);
      const limited = statuses.filter(([status]) => status === 429);
      expect(limited.length).toBeGreaterThan(10);
      for (const [, wait] of limited) expect(Number(wait)).toBeGreaterThanOrEqual(1);
      expect((await ask(server.url, "/healthz")).status).toBe(200);
      expect(await send(server.url, "shop")).toBe(204);
    } finally {
      await server.stop();
    }
  });
});

it("a share link is made for days that are no whole number of milliseconds", async () => {
  const flags = ["--site", "blog", "--data", data];
  // 1.1 times 86,400,000 is no whole number to a processor.
  expect(await runHere(["share", "add", "--days", "1.1", ...flags])).toMatchObject({ code: 0 });
  const { output } = await runHere(["share", "list", ...flags]);
  expect(output).toContain(`until ${new Date(Date.now() + 95_040_000).toISOString().slice(0, 10)}`);
});

describe("a command that cannot work says why in one line", () => {
  it.each([
    [["keys", "add", "--site", "nobody"], /site "nobody" is not registered/],
    [["keys", "rm", "000000000000", "--site", "shop"], /has no key/],
    [["share", "list", "--site", "nobody"], /site "nobody" is not registered/],
    [["alerts", "list", "--site", "nobody"], /site "nobody" is not registered/],
    [["sites", "rm", "nobody"], /not registered/],
    [["sites", "add", "shop@Europe/Paris"], /already counted in that zone/],
  ])("%j", async (args, message) => {
    const { code, output } = await runHere([...args, "--data", data]);
    expect(output).toMatch(message);
    expect(output.trim().split("\n")).toHaveLength(1);
    expect(code).toBe(1);
  });

  it("and makes no share link whose address it cannot print", async () => {
    const before = await rivulet("share", "list", "--site", "shop");
    const { code, output } = await runHere([
      "share",
      "add",
      "--site",
      "shop",
      "--url",
      "nowhere",
      "--data",
      data,
    ]);
    expect(output).toMatch(/--url <url>' argument 'nowhere' is invalid/);
    expect(code).toBe(1);
    expect(await rivulet("share", "list", "--site", "shop")).toBe(before);
  });

  it("where there are no data, and makes none", async () => {
    const nowhere = `${data}-nowhere`;
    for (const args of [
      ["sites", "list"],
      ["keys", "add", "--site", "shop"],
    ]) {
      const { code, output } = await runCommand([...args, "--data", nowhere]);
      expect(output).toContain("no data of Rivulet there");
      expect(code).toBe(1);
    }
  });
});
