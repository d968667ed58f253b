/** The readers' API in API Gateway's proxy form: which question a request asks, and who asks it. Knows no store. */
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { ClickstreamError } from "../errors.ts";
import { refuseRepeated } from "../parameters.ts";
import { type AccessControl, type Reader, tokenOf } from "../pipeline/access.ts";
import type { Explorations } from "../pipeline/explore/explorations.ts";
import type { OwnerApi } from "../pipeline/owner.ts";
import type { QueryApi } from "../pipeline/query/api.ts";
import { answer, checkWrite, csvAnswer, header, jsonBody, parameterNames } from "./http.ts";
import { type SessionDeps, sessionToken, signIn, signOut } from "./session.ts";

/** What owners define; all other requests only ask, whatever their method. */
const WRITTEN: ReadonlySet<string> = new Set(["/api/v2/site", "/api/v2/shares"]);

/** Throws ClickstreamError; `refusal` makes a reply of it. */
export async function route(
  event: APIGatewayProxyEvent,
  {
    api,
    owner,
    access,
    explorations,
    sessions,
    reportPath,
    monthlyCost,
  }: {
    readonly api: QueryApi;
    readonly owner: OwnerApi;
    readonly access: AccessControl;
    /** Undefined where no single events are kept. */
    readonly explorations?: Explorations | undefined;
    /** Undefined where nobody can sign in. */
    readonly sessions?: SessionDeps | undefined;
    /** Undefined where pages report to the dashboard's origin. */
    readonly reportPath?: string | undefined;
    /** Dollars; undefined where nobody notes them. */
    readonly monthlyCost?: (() => Promise<number | undefined>) | undefined;
  },
): Promise<APIGatewayProxyResult> {
  const asked = `${event.httpMethod} ${event.path}`;
  if (sessions && asked === "POST /api/v2/session") return signIn(event, sessions);
  if (sessions && asked === "DELETE /api/v2/session") return signOut(event, { ...sessions, access });
  const parameters = event.queryStringParameters ?? {};
  const token = tokenOf(header(event, "authorization"), parameters.share, sessions && sessionToken(event));
  const reader = await access.reader(token);
  refuseRepeated(parameterNames(event));
  if (event.httpMethod !== "GET" && WRITTEN.has(event.path)) checkWrite(event);
  const reply = (value: object): APIGatewayProxyResult => answer(value, header(event, "if-none-match"));
  const explore = (ask: (archive: Explorations, body: unknown) => Promise<object>): Promise<object> => {
    if (!explorations)
      throw new ClickstreamError("no_archive", "site_id: no single events are kept here, which this needs");
    return ask(explorations, jsonBody(event));
  };
  /** For owners: whoever only reads need not know what it costs. */
  const costFor = async ({ mayWrite }: Reader): Promise<object> => {
    const cost = mayWrite(parameters.site_id ?? "") ? await monthlyCost?.() : undefined;
    return cost === undefined ? {} : { month_cost: cost };
  };
  switch (asked) {
    case "POST /api/v2/query":
      return reply(await api.query(reader, jsonBody(event)));
    case "POST /api/v2/funnel":
      return reply(await explore((archive, body) => archive.funnel(reader, body)));
    case "POST /api/v2/retention":
      return reply(await explore((archive, body) => archive.retention(reader, body)));
    case "POST /api/v2/paths":
      return reply(await explore((archive, body) => archive.paths(reader, body)));
    case "GET /api/v2/live":
      return reply({ ...(await api.live(reader, parameters.site_id)), ...(await costFor(reader)) });
    case "GET /api/v2/sites":
      return reply(await api.sites(reader));
    case "GET /api/v2/site":
      return reply({ ...(await owner.about(reader, parameters.site_id)), ...reportTo(event, reportPath) });
    case "PUT /api/v2/site":
      return reply(await owner.save(reader, jsonBody(event)));
    case "GET /api/v2/alerts":
      return reply(await owner.alerts(reader, parameters.site_id));
    case "GET /api/v2/shares":
      return reply(await owner.shares(reader, parameters.site_id));
    case "POST /api/v2/shares":
      return reply(await owner.addShare(reader, jsonBody(event)));
    case "DELETE /api/v2/shares":
      return reply(await owner.removeShare(reader, parameters.site_id, parameters.id));
    case "GET /api/v2/export.csv":
      return csvAnswer(await api.exportCsv(reader, parameters));
    default:
      throw new ClickstreamError("not_found", `no such resource: ${asked}`);
  }
}

/** The API's own address, by which it was asked even behind CloudFront: its function cannot be told before there is an API. */
const reportTo = ({ requestContext }: APIGatewayProxyEvent, path: string | undefined): object =>
  path ? { report_to: `https://${requestContext.domainName}/${requestContext.stage}${path}` } : {};
