/**
 * The page that signs a browser in: the authorization code grant of OAuth 2.0 with PKCE against the deployment's user
 * pool. What it gets for the code goes to the API once, which begins a session; nothing of it stays in the page.
 * https://datatracker.ietf.org/doc/html/rfc7636
 */

/** As infra/aws/users.ts writes it beside this page. */
interface Config {
  /** Origin of the sign-in pages. */
  readonly domain: string;
  readonly client_id: string;
  readonly scope: string;
}

/** What has to be known again when the browser comes back. */
interface Attempt {
  readonly state: string;
  readonly verifier: string;
  readonly back: string;
}

const PENDING = "rivulet-sign-in";
const here = `${location.origin}/login/`;

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

const random = (): string => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** A path of this host, and never another: "//host" and "/\host" are others to a browser, also with tabs or line ends between. */
const safePath = (path: string | null): string => (path && /^\/(?!\s*[/\\])/.test(path) ? path : "/");

async function begin({ domain, client_id, scope }: Config, back: string): Promise<void> {
  const attempt: Attempt = { state: random(), verifier: random(), back };
  sessionStorage.setItem(PENDING, JSON.stringify(attempt));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(attempt.verifier));
  const query = new URLSearchParams({
    response_type: "code",
    client_id,
    redirect_uri: here,
    scope,
    state: attempt.state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
  });
  location.assign(`${domain}/oauth2/authorize?${query}`);
}

/** Answers where to go. Throws what went wrong. */
async function finish({ domain, client_id }: Config, code: string, state: string | null): Promise<string> {
  const { verifier, back, ...begun } = JSON.parse(
    sessionStorage.getItem(PENDING) ?? "{}",
  ) as Partial<Attempt>;
  sessionStorage.removeItem(PENDING);
  // A code that this tab did not ask for is somebody else's.
  if (!verifier || state !== begun.state) throw new Error("this sign-in was not begun here");
  const token = await fetch(`${domain}/oauth2/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code",
      client_id,
      code,
      redirect_uri: here,
      code_verifier: verifier,
    }),
  });
  if (!token.ok) throw new Error(`the code was refused (${token.status})`);
  const { access_token } = (await token.json()) as { access_token: string };
  const session = await fetch("/api/v2/session", {
    method: "POST",
    headers: { authorization: access_token },
  });
  if (!session.ok) throw new Error(`the session was refused (${session.status})`);
  return safePath(back ?? null);
}

async function end({ domain, client_id }: Config): Promise<void> {
  const ended = await fetch("/api/v2/session", { method: "DELETE" });
  // Signed out of the pool alone, this browser would read on.
  if (!ended.ok) throw new Error(`the session was not ended (${ended.status})`);
  location.assign(`${domain}/logout?${new URLSearchParams({ client_id, logout_uri: here })}`);
}

/** Where sign-in ended without a session, the way to try again is a link, because a redirect would go round in circles. */
function say(text: string): void {
  const link = document.createElement("a");
  link.href = here;
  link.textContent = "Sign in · 로그인";
  document.getElementById("main")?.replaceChildren(text, " ", link);
}

async function run(): Promise<void> {
  const query = new URLSearchParams(location.search);
  const config = (await (await fetch("/login/config.json")).json()) as Config;
  const [code, back, problem] = ["code", "back", "error"].map((name) => query.get(name));
  if (problem) say(`${query.get("error_description") ?? problem}.`);
  else if (query.has("out")) await end(config);
  else if (code) location.replace(await finish(config, code, query.get("state")));
  else await begin(config, safePath(back ?? null));
}

run().catch((error: unknown) => say(`${String(error)}.`));
