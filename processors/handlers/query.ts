/** Lambda entry of the readers' API: makes its parts once, and puts its answers and refusals into HTTP. */
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { randomBytes, secrets } from "../crypto.ts";
import { ENV, latenessOf, SIGN_IN_PATH, sessionMsOf } from "../env.ts";
import { AccessControl } from "../pipeline/access.ts";
import { readFreshness } from "../pipeline/freshness.ts";
import { OwnerApi } from "../pipeline/owner.ts";
import { QueryApi } from "../pipeline/query/api.ts";
import { QueryEngine } from "../pipeline/query/engine.ts";
import {
  type CanaryAnswer,
  type CanaryQuestion,
  clicksIn,
  clicksOn,
  isCanaryQuestion,
} from "./canaryclick.ts";
import { exploring } from "./explore.ts";
import { refusal } from "./http.ts";
import { monthlyCosts } from "./monthlycost.ts";
import { route } from "./routes.ts";
import { clock, store } from "./services.ts";

const explored = exploring(process.env);
/** Warm engines keep the decoded tail of the commit logs and fetch only what is new. */
const engine = new QueryEngine({
  store,
  clock,
  freshness: () => readFreshness(store),
  archive: explored?.archive,
  ...latenessOf(process.env),
});
const api = new QueryApi(engine);
const lifeMs = sessionMsOf(process.env);
const sessions = lifeMs === undefined ? undefined : { store, clock, secrets, randomBytes, lifeMs };
const access = new AccessControl(
  { store, clock, secrets },
  { isKeyRequired: process.env[ENV.requireKey] === "1" },
);
const monthlyCost = monthlyCosts({ store, clock });
const owner = new OwnerApi({
  store,
  clock,
  secrets,
  randomBytes,
  hasArchive: engine.hasArchive,
  rejected: async (site) => (await engine.live(site)).rejected,
});

export async function handler(
  event: APIGatewayProxyEvent | CanaryQuestion,
): Promise<APIGatewayProxyResult | CanaryAnswer> {
  if (isCanaryQuestion(event)) return { clicks: clicksIn(await engine.query(clicksOn(event.canary))) };
  try {
    return await route(event, {
      api,
      owner,
      access,
      explorations: explored?.explorations,
      sessions,
      monthlyCost,
      reportPath: process.env[ENV.reportPath],
    });
  } catch (error) {
    const reply = refusal(error, event.requestContext.requestId, sessions && SIGN_IN_PATH);
    // The client gets the request id only; the log holds the cause under that id.
    if (reply.statusCode >= 500) console.error(event.requestContext.requestId, error);
    return reply;
  }
}
