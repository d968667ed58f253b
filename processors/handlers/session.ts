/**
 * Signing in and out. API Gateway has checked the user's token before the function is called, by the authorizer that the
 * API document names for this one route; what follows is a session of ours, kept as other grants are.
 */
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { SESSION_COOKIE } from "../env.ts";
import { ClickstreamError } from "../errors.ts";
import { type AccessControl, createGrant, type GrantDeps, removeGrant } from "../pipeline/access.ts";
import { header } from "./http.ts";

/** To the API of this host only, from its own pages only, and read by no script. */
const ATTRIBUTES = "Path=/api/; Secure; HttpOnly; SameSite=Strict";

/** The session's token that a request carries. */
export const sessionToken = (event: APIGatewayProxyEvent): string | undefined =>
  (header(event, "cookie") ?? "")
    .split("; ")
    .find((pair) => pair.startsWith(`${SESSION_COOKIE}=`))
    ?.slice(SESSION_COOKIE.length + 1);

export interface SessionDeps extends GrantDeps {
  readonly lifeMs: number;
}

/** Begins a session with the groups that the user is in. Throws `unauthorized` where no authorizer vouched for anybody. */
export async function signIn(
  event: APIGatewayProxyEvent,
  { lifeMs, ...deps }: SessionDeps,
): Promise<APIGatewayProxyResult> {
  const claims: unknown = event.requestContext.authorizer?.claims;
  if (typeof claims !== "object" || claims === null)
    throw new ClickstreamError("unauthorized", "authorization: sign in first");
  const groups = groupsOf((claims as Record<string, unknown>)["cognito:groups"]);
  const { token } = await createGrant(deps, { kind: "session", site: "", lifeMs, groups });
  return withCookie(token, Math.floor(lifeMs / 1_000));
}

/** Ends the session that the request carries, in every container within seconds; ends none that it does not. */
export async function signOut(
  event: APIGatewayProxyEvent,
  { store, access }: Pick<GrantDeps, "store"> & { readonly access: AccessControl },
): Promise<APIGatewayProxyResult> {
  const token = sessionToken(event);
  const grant = token === undefined ? undefined : await access.grant(token);
  if (grant?.kind === "session") await removeGrant(store, grant);
  return withCookie("", 0);
}

/** A proxy integration turns the claim's list into one text, `a,b` or `[a b]`; no site's id has a comma or a space. */
function groupsOf(claim: unknown): readonly string[] {
  const names = Array.isArray(claim) ? claim.map(String) : String(claim ?? "").split(/[\s,[\]]+/);
  return names.filter((name) => name !== "");
}

const withCookie = (value: string, seconds: number): APIGatewayProxyResult => ({
  statusCode: 204,
  headers: {
    "cache-control": "no-store",
    "set-cookie": `${SESSION_COOKIE}=${value}; Max-Age=${seconds}; ${ATTRIBUTES}`,
  },
  body: "",
});
