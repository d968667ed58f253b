/** Signing in, in a real browser: the dashboard's own pages, the API's own sessions, and a user pool that checks PKCE. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { buildDashboard } from "../../dashboard/build.ts";
import { buildLogin, LOGIN_PATH } from "../../dashboard/login/build.ts";
import { PAGE_POLICY } from "../../infra/policy.ts";
import { randomBytes, secrets } from "../../processors/crypto.ts";
import { SIGN_IN_PATH } from "../../processors/env.ts";
import { refusal } from "../../processors/handlers/http.ts";
import { route } from "../../processors/handlers/routes.ts";
import { AccessControl, createGrant } from "../../processors/pipeline/access.ts";
import { OwnerApi } from "../../processors/pipeline/owner.ts";
import { QueryApi } from "../../processors/pipeline/query/api.ts";
import { QueryEngine } from "../../processors/pipeline/query/engine.ts";
import { registerSites } from "../../processors/pipeline/sites.ts";
import { memoryStore } from "../../processors/stores/memory.ts";
import { request } from "../infra/aws/requests.ts";
import { type Browser, type BrowserContext, closePages, type Page, sharedBrowser } from "../kit/browser.ts";
import { type Listening, listening } from "../kit/listening.ts";

const clock = { now: () => Date.now() };
const store = memoryStore({ clock });
const deps = { store, clock, secrets, randomBytes };
const parts = {
  api: new QueryApi(new QueryEngine({ store, clock })),
  owner: new OwnerApi({ ...deps, hasArchive: false, rejected: async () => ({}) }),
  access: new AccessControl(deps, { isKeyRequired: true }),
  sessions: { ...deps, lifeMs: 3_600_000 },
};

const ACCESS_TOKEN = "eyJ.access.token";
/** What the pool was asked for, by path. */
const asked: [path: string, parameters: Record<string, string>][] = [];
let challenge = "";
let browser: Browser;
let context: BrowserContext;
let page: Page;
let pool: Listening;
let site: Listening;

const listen = (answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>) =>
  listening(createServer((request, response) => void answer(request, response)));

async function bodyOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** Signs everybody in who asks properly, as Cognito's documents say. */
async function userPool(message: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(message.url ?? "/", "http://pool");
  const parameters = Object.fromEntries(
    message.method === "POST" ? new URLSearchParams(await bodyOf(message)) : searchParams,
  );
  asked.push([pathname, parameters]);
  if (pathname === "/oauth2/authorize") {
    challenge = parameters.code_challenge ?? "";
    const back = new URLSearchParams({ code: "code-1", state: parameters.state ?? "" });
    response.writeHead(302, { location: `${parameters.redirect_uri}?${back}` }).end();
  } else if (pathname === "/oauth2/token") {
    const proof = createHash("sha256")
      .update(parameters.code_verifier ?? "")
      .digest("base64url");
    const isRight = proof === challenge && parameters.code === "code-1";
    response.writeHead(isRight ? 200 : 400, {
      "content-type": "application/json",
      "access-control-allow-origin": "*",
    });
    response.end(JSON.stringify(isRight ? { access_token: ACCESS_TOKEN } : { error: "invalid_grant" }));
  } else response.writeHead(200, { "content-type": "text/html" }).end("<h1>Signed out</h1>");
}

beforeAll(async () => {
  await registerSites(store, clock, [{ id: "shop", timeZone: "UTC" }]);
  const [dashboard, login] = await Promise.all([buildDashboard(), buildLogin()]);
  pool = await listen(userPool);
  const config = { domain: pool.origin, client_id: "client-1", scope: "rivulet/session" };
  const files = new Map<string, { readonly body: Uint8Array }>([
    ...dashboard,
    ...login,
    ["/login/config.json", { body: new TextEncoder().encode(JSON.stringify(config)) }],
  ]);
  const types: Record<string, string> = { js: "text/javascript", css: "text/css", json: "application/json" };
  site = await listen(async (message, response) => {
    const { pathname, searchParams } = new URL(message.url ?? "/", "http://site");
    const file = files.get(pathname);
    if (file) {
      const isLogin = pathname.startsWith(LOGIN_PATH);
      response.writeHead(200, {
        "content-type": types[pathname.split(".")[1] ?? ""] ?? "text/html",
        "content-security-policy": `${PAGE_POLICY}${isLogin ? `; connect-src 'self' ${pool.origin}` : ""}`,
      });
      response.end(file.body);
      return;
    }
    const isVouchedFor = message.headers.authorization === ACCESS_TOKEN;
    const event = request(message.method ?? "GET", pathname, {
      headers: message.headers,
      queryStringParameters: Object.fromEntries(searchParams),
      body: await bodyOf(message),
      requestContext: {
        requestId: "r-1",
        ...(isVouchedFor && { authorizer: { claims: { "cognito:groups": "readers" } } }),
      },
    });
    const answer = await route(event, parts).catch((error) => refusal(error, "r-1", SIGN_IN_PATH));
    response.writeHead(answer.statusCode, answer.headers as Record<string, string>);
    response.end(answer.body);
  });
  browser = await sharedBrowser();
});
afterAll(async () => {
  await closePages(browser);
  await Promise.all([pool?.close(), site?.close()]);
});
beforeEach(async () => {
  await context?.close();
  context = await browser.newContext({ locale: "en-US" });
  page = await context.newPage();
  asked.length = 0;
});

const place = (): string => {
  const { pathname, search } = new URL(page.url());
  return pathname + search;
};

describe("a browser that may not read", () => {
  it("is at the path that the API names", () => {
    expect(LOGIN_PATH).toBe(SIGN_IN_PATH);
  });

  it("signs in, comes back to the view it wanted, and holds nothing that a script could take", async () => {
    await page.goto(`${site.origin}/?site=shop&period=day`);
    await page.getByRole("heading", { name: "shop" }).waitFor();
    expect(place()).toBe("/?site=shop&period=day");
    const [[, authorize], [, token]] = asked as [(typeof asked)[0], (typeof asked)[0]];
    expect(asked.map(([path]) => path)).toEqual(["/oauth2/authorize", "/oauth2/token"]);
    expect(authorize).toMatchObject({
      response_type: "code",
      client_id: "client-1",
      scope: "rivulet/session",
      redirect_uri: `${site.origin}/login/`,
      code_challenge_method: "S256",
    });
    expect(token).toMatchObject({ grant_type: "authorization_code", redirect_uri: authorize.redirect_uri });
    expect(
      await page.evaluate("document.cookie + JSON.stringify([{ ...sessionStorage }, { ...localStorage }])"),
    ).not.toMatch(/rvu_|eyJ/);
    const [cookie] = await context.cookies();
    expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: "Strict", path: "/api/" });
  });

  it("comes to the sign-in page also where that takes longer to load than the API to refuse again", async () => {
    await page.route("**/login/?*", async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      await route.continue();
    });
    await page.goto(`${site.origin}/?site=shop`);
    await page.waitForURL("**/login/**", { timeout: 10_000 });
  });

  it("signs out for good", async () => {
    await page.goto(`${site.origin}/?site=shop`);
    await page.getByRole("heading", { name: "shop" }).waitFor();
    await page.goto(`${site.origin}/login/?out`);
    await page.getByRole("heading", { name: "Signed out" }).waitFor();
    expect(asked.at(-1)).toEqual(["/logout", { client_id: "client-1", logout_uri: `${site.origin}/login/` }]);
    expect(await context.cookies()).toEqual([]);
  });

  it("that could not be signed out is told so, and not shown the pool's page as if it were", async () => {
    await page.goto(`${site.origin}/?site=shop`);
    await page.getByRole("heading", { name: "shop" }).waitFor();
    await page.route("**/api/v2/session", (route) => route.fulfill({ status: 503 }));
    await page.goto(`${site.origin}/login/?out`);
    await page.getByText("the session was not ended (503)").waitFor();
    expect(asked.map(([path]) => path)).not.toContain("/logout");
  });

  // Browsers take a backslash for a slash, and tabs and line ends for nothing.
  it.each(["//evil.example/", "/\\evil.example/", "/\t/evil.example/", "/\r\n\\evil.example/"])(
    "is sent to no other host, though the link says %j",
    async (back) => {
      await page.route("http*://evil.example/**", (route) => route.fulfill({ body: "evil" }));
      await page.goto(`${site.origin}/login/?back=${encodeURIComponent(back)}`);
      await page.waitForURL((url) => !url.pathname.startsWith("/login") && url.origin !== pool.origin);
      expect(new URL(page.url()).origin).toBe(site.origin);
    },
  );

  it("takes no code that it did not ask for, and no refusal for a session", async () => {
    await page.goto(`${site.origin}/login/?code=somebody-elses&state=x`);
    await page.getByText("this sign-in was not begun here").waitFor();
    expect(asked).toEqual([]);
    await page.goto(`${site.origin}/login/?error=access_denied&error_description=No+such+user`);
    await page.getByText("No such user").waitFor();
    expect(await context.cookies()).toEqual([]);
  });

  it("needs no account where it came by a share link", async () => {
    const { token } = await createGrant(deps, { kind: "share", site: "shop", lifeMs: 60_000 });
    await page.goto(`${site.origin}/?site=shop&share=${token}`);
    await page.getByRole("heading", { name: "shop" }).waitFor();
    expect(asked).toEqual([]);
  });
});
