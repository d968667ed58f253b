/** Lambda entry of the readers' API: routes to the query engine and puts its answers and refusals into HTTP. */
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { ClickstreamError } from "../errors.ts";
import { QueryEngine } from "../pipeline/query/engine.ts";
import { answer, header, jsonBody, refusal } from "./http.ts";
import { clock, store } from "./services.ts";

/** Warm engines keep the decoded tail of the commit logs and fetch only what is new. */
const engine = new QueryEngine({ store, clock });

export async function handler(event: APIGatewayProxyEvent): Promise<APIGatewayProxyResult> {
  try {
    return answer(await route(event), header(event, "if-none-match"));
  } catch (error) {
    const reply = refusal(error, event.requestContext.requestId);
    // The client gets the request id only; the log holds the cause under that id.
    if (reply.statusCode >= 500) console.error(event.requestContext.requestId, error);
    return reply;
  }
}

function route(event: APIGatewayProxyEvent): Promise<object> {
  switch (`${event.httpMethod} ${event.path}`) {
    case "POST /api/v2/query":
      return engine.query(jsonBody(event));
    case "GET /api/v2/live":
      return engine.live(event.queryStringParameters?.site_id ?? "");
    case "GET /api/v2/sites":
      return engine.sites();
    default:
      throw new ClickstreamError("not_found", `no such resource: ${event.httpMethod} ${event.path}`);
  }
}
