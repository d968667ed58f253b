/**
 * Lambda entry of the canary: clicks as a browser does, asks until the click is in the answer, and tells how long that
 * took. Throws when it is not there in time, so that the function's errors are the alarm.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { CANARY_SITE, ENV, requireEnv, wholeNumberOf } from "../env.ts";
import { ClickstreamError } from "../errors.ts";
import { type CanaryAnswer, type CanaryQuestion, clicksIn, clicksOn } from "./canaryclick.ts";
import { tell } from "./metrics.ts";

const url = requireEnv(process.env, ENV.url);
const reportUrl = requireEnv(process.env, ENV.reportUrl);
const withinMs = wholeNumberOf(process.env, ENV.canaryMs);
const queryFunction = process.env[ENV.queryFunction];
/** Page views of a page: as anybody may ask, or of the function itself where readers need a key. */
const counted = queryFunction ? askFunction(queryFunction) : askApi;

const PAUSE_MS = 250;

export async function handler(): Promise<{ readonly visibleMs: number }> {
  const page = `/${randomUUID()}`;
  const clickedAt = Date.now();
  await post(reportUrl, {
    s: CANARY_SITE,
    b: page,
    e: [{ n: "pageview", u: `https://${CANARY_SITE}${page}` }],
  });
  for (;;) {
    const clicks = await counted(page);
    const visibleMs = Date.now() - clickedAt;
    if (clicks > 1) throw new ClickstreamError("invariant", `one click was counted ${clicks} times: ${page}`);
    if (clicks === 1) {
      tell({ Visible: visibleMs }, Date.now());
      return { visibleMs };
    }
    if (visibleMs > withinMs)
      throw new ClickstreamError(
        "unavailable",
        `a click was not in the answers after ${visibleMs} ms, ${withinMs} allowed: ${page}`,
      );
    await sleep(PAUSE_MS);
  }
}

async function askApi(page: string): Promise<number> {
  const answer = await post(`${url}/api/v2/query`, clicksOn(page));
  return clicksIn((await answer.json()) as Parameters<typeof clicksIn>[0]);
}

function askFunction(name: string): (page: string) => Promise<number> {
  return async (canary) => {
    const { invoke } = await import("../invocation.ts");
    const question: CanaryQuestion = { canary };
    return ((await invoke(name, question)) as CanaryAnswer).clicks;
  };
}

/** Posts JSON. Throws `unavailable` with the status when it is refused. */
async function post(to: string, body: unknown): Promise<Response> {
  const response = await fetch(to, {
    method: "POST",
    headers: { "Content-Type": "application/json", "User-Agent": "node" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  if (response.ok) return response;
  throw new ClickstreamError("unavailable", `POST ${new URL(to).pathname} was answered ${response.status}`);
}
