/** Signing in as a browser does it behind API Gateway, and what a session lets it read and write. */
import type { APIGatewayProxyEvent } from "aws-lambda";
import { beforeEach, describe, expect, it } from "vitest";
import { randomBytes, secrets } from "../../../processors/crypto.ts";
import { SIGN_IN_PATH } from "../../../processors/env.ts";
import { refusal } from "../../../processors/handlers/http.ts";
import { route } from "../../../processors/handlers/routes.ts";
import { AccessControl, createGrant } from "../../../processors/pipeline/access.ts";
import { OwnerApi } from "../../../processors/pipeline/owner.ts";
import { QueryApi } from "../../../processors/pipeline/query/api.ts";
import { QueryEngine } from "../../../processors/pipeline/query/engine.ts";
import { registerSites } from "../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import type { Store } from "../../../processors/stores/store.ts";
import { request } from "../../infra/aws/requests.ts";
import { type ManualClock, manualClock } from "../../kit/clock.ts";

const HOUR = 3_600_000;
let clock: ManualClock;
let store: Store;
let deps: Parameters<typeof createGrant>[0];
let parts: Parameters<typeof route>[1];

beforeEach(async () => {
  clock = manualClock();
  store = memoryStore({ clock });
  deps = { store, clock, secrets, randomBytes };
  const sites = ["blog", "shop"].map((id) => ({ id, timeZone: "UTC" }));
  await registerSites(store, clock, sites);
  const engine = new QueryEngine({ store, clock });
  parts = {
    api: new QueryApi(engine),
    owner: new OwnerApi({ ...deps, hasArchive: false, rejected: async () => ({}) }),
    access: new AccessControl(deps, { isKeyRequired: true }),
    sessions: { ...deps, lifeMs: 8 * HOUR },
  };
});

/** The answer, or the refusal, as the function gives it. */
const ask = async (event: APIGatewayProxyEvent) =>
  route(event, parts).catch((error: unknown) => refusal(error, "r-1", SIGN_IN_PATH));

const json = { "content-type": "application/json" };

/** As API Gateway calls when its authorizer let a user's token pass. Answers the cookie. */
async function signIn(groups: unknown): Promise<string> {
  const requestContext = { requestId: "r-1", authorizer: { claims: { "cognito:groups": groups } } };
  const answer = await ask(request("POST", "/api/v2/session", { requestContext }));
  expect(answer.statusCode).toBe(204);
  return String(answer.headers?.["set-cookie"]);
}
const cookieOf = (header: string): string => header.slice(0, header.indexOf(";"));
const get = (path: string, cookie: string, query: Record<string, string> = {}) =>
  ask(request("GET", path, { headers: { Cookie: `other=1; ${cookie}` }, queryStringParameters: query }));
const sitesFor = async (cookie: string): Promise<string[]> =>
  JSON.parse((await get("/api/v2/sites", cookie)).body).sites.map(
    ({ site_id }: { site_id: string }) => site_id,
  );

describe("signing in", () => {
  it("is offered to whoever lacks a key", async () => {
    const { statusCode, body } = await ask(request("GET", "/api/v2/sites"));
    expect(statusCode).toBe(401);
    expect(JSON.parse(body)).toMatchObject({ sign_in: "/login/" });
  });

  it("begins a session in a cookie that no script reads and no other site sends", async () => {
    const cookie = await signIn("readers");
    expect(cookie).toMatch(
      /^__Secure-rivulet=rvu_\w+; Max-Age=28800; Path=\/api\/; Secure; HttpOnly; SameSite=Strict$/,
    );
    expect(await sitesFor(cookieOf(cookie))).toEqual(["blog", "shop"]);
  });

  it("needs somebody to vouch for the user", async () => {
    for (const requestContext of [{ requestId: "r-1" }, { requestId: "r-1", authorizer: {} }])
      expect(await ask(request("POST", "/api/v2/session", { requestContext }))).toMatchObject({
        statusCode: 401,
      });
  });

  it("is no way in where the deployment has none: neither route nor cookie", async () => {
    const cookie = cookieOf(await signIn("owners"));
    const { sessions: _, ...without } = parts;
    parts = without;
    expect((await get("/api/v2/sites", cookie)).statusCode).toBe(401);
    const requestContext = { requestId: "r-1", authorizer: { claims: {} } };
    expect((await ask(request("POST", "/api/v2/session", { requestContext }))).statusCode).toBe(401);
  });
});

describe("a session", () => {
  it.each<{ groups: unknown; reads: string[]; writes: boolean }>([
    { groups: "owners", reads: ["blog", "shop"], writes: true },
    { groups: "readers", reads: ["blog", "shop"], writes: false },
    { groups: "site:shop", reads: ["shop"], writes: false },
    { groups: "site:shop,site:blog", reads: ["blog", "shop"], writes: false },
    { groups: "[site:shop readers]", reads: ["blog", "shop"], writes: false },
    { groups: ["site:blog"], reads: ["blog"], writes: false },
    { groups: "site:shop,owners", reads: ["blog", "shop"], writes: true },
    { groups: "shop,site:,owner,us-east-1_Google", reads: [], writes: false },
    { groups: undefined, reads: [], writes: false },
  ])("of $groups reads $reads", async ({ groups, reads, writes }) => {
    const cookie = cookieOf(await signIn(groups));
    expect(await sitesFor(cookie)).toEqual(reads);
    for (const site of ["blog", "shop"]) {
      const about = await get("/api/v2/site", cookie, { site_id: site });
      expect(about.statusCode, site).toBe(reads.includes(site) ? 200 : 403);
      if (about.statusCode === 200) expect(JSON.parse(about.body).may_write, site).toBe(writes);
    }
  });

  it("ends by its time, and everywhere within seconds when its user signs out", async () => {
    const [left, stays] = [cookieOf(await signIn("readers")), cookieOf(await signIn("readers"))];
    expect(await sitesFor(left)).toHaveLength(2);
    const answer = await ask(request("DELETE", "/api/v2/session", { headers: { cookie: left } }));
    expect(answer.headers?.["set-cookie"]).toMatch(/^__Secure-rivulet=; Max-Age=0; Path=\/api\/;/);
    clock.advance(5_001);
    expect((await get("/api/v2/sites", left)).statusCode).toBe(401);
    expect(await sitesFor(stays)).toHaveLength(2);
    clock.advance(8 * HOUR);
    expect((await get("/api/v2/sites", stays)).statusCode).toBe(401);
  });

  it("gives way to a share link, so that who follows one sees what it shows", async () => {
    const cookie = cookieOf(await signIn("owners"));
    const { token } = await createGrant(deps, { kind: "share", site: "blog", lifeMs: HOUR });
    const answer = await get("/api/v2/sites", cookie, { share: token });
    expect(JSON.parse(answer.body).sites).toHaveLength(1);
    const secret = cookie.slice(cookie.indexOf("=") + 1);
    expect(
      (await ask(request("GET", "/api/v2/sites", { queryStringParameters: { share: secret } }))).statusCode,
    ).toBe(401);
  });

  it("writes nothing by a request that any page could send", async () => {
    const headers = { cookie: cookieOf(await signIn("owners")) };
    const body = JSON.stringify({ site_id: "shop", days: 1 });
    const share = (more: object) =>
      ask(request("POST", "/api/v2/shares", { headers: { ...headers, ...more }, body }));
    expect(await share({ "content-type": "text/plain" })).toMatchObject({ statusCode: 400 });
    expect(await share({})).toMatchObject({ statusCode: 400 });
    expect(await share(json)).toMatchObject({ statusCode: 200 });
  });
});
