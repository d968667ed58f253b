/** Lambda entry of the readers' API: routes to the query engine and puts its answers and refusals into HTTP. */
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { secrets } from "../crypto.ts";
import { ENV, latenessOf } from "../env.ts";
import { ClickstreamError } from "../errors.ts";
import { AccessControl, tokenOf } from "../pipeline/access.ts";
import { readFreshness } from "../pipeline/freshness.ts";
import { QueryApi } from "../pipeline/query/api.ts";
import { QueryEngine } from "../pipeline/query/engine.ts";
import { answer, csvAnswer, header, jsonBody, refusal } from "./http.ts";
import { clock, store } from "./services.ts";

/** Warm engines keep the decoded tail of the commit logs and fetch only what is new. */
const api = new QueryApi(
  new QueryEngine({ store, clock, freshness: () => readFreshness(store), ...latenessOf(process.env) }),
);
const access = new AccessControl(
  { store, clock, secrets },
  { isKeyRequired: process.env[ENV.requireKey] === "1" },
);

export async function handler(event: APIGatewayProxyEvent): Promise<APIGatewayProxyResult> {
  try {
    return await route(event);
  } catch (error) {
    const reply = refusal(error, event.requestContext.requestId);
    // The client gets the request id only; the log holds the cause under that id.
    if (reply.statusCode >= 500) console.error(event.requestContext.requestId, error);
    return reply;
  }
}

async function route(event: APIGatewayProxyEvent): Promise<APIGatewayProxyResult> {
  const parameters = event.queryStringParameters ?? {};
  const reader = await access.reader(tokenOf(header(event, "authorization"), parameters.share));
  const reply = (value: object): APIGatewayProxyResult => answer(value, header(event, "if-none-match"));
  switch (`${event.httpMethod} ${event.path}`) {
    case "POST /api/v2/query":
      return reply(await api.query(reader, jsonBody(event)));
    case "GET /api/v2/live":
      return reply(await api.live(reader, parameters.site_id));
    case "GET /api/v2/sites":
      return reply(await api.sites(reader));
    case "GET /api/v2/export.csv":
      return csvAnswer(await api.exportCsv(reader, parameters));
    default:
      throw new ClickstreamError("not_found", `no such resource: ${event.httpMethod} ${event.path}`);
  }
}
