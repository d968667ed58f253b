/**
 * Lambda entry of the canary: clicks as a browser does, asks as a reader does until the click is in the answer, and tells
 * how long that took. Throws when it is not there in time, so that the function's errors are the alarm.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { CANARY_SITE, ENV, requireEnv } from "../env.ts";
import { ClickstreamError } from "../errors.ts";
import { tell } from "./metrics.ts";

const url = requireEnv(process.env, ENV.url);
const withinMs = Number(requireEnv(process.env, ENV.canaryMs));

const PAUSE_MS = 250;

export async function handler(): Promise<{ readonly visibleMs: number }> {
  const page = `/${randomUUID()}`;
  const clickedAt = Date.now();
  await ask("/v1/events", {
    s: CANARY_SITE,
    b: page,
    e: [{ n: "pageview", u: `https://${CANARY_SITE}${page}` }],
  });
  const query = {
    site_id: CANARY_SITE,
    metrics: ["pageviews"],
    date_range: "realtime",
    filters: [["is", "event:page", [page]]],
  };
  for (;;) {
    const { results } = (await (await ask("/api/v2/query", query)).json()) as {
      results: { metrics: number[] }[];
    };
    const counted = results[0]?.metrics[0] ?? 0;
    const visibleMs = Date.now() - clickedAt;
    if (counted > 1)
      throw new ClickstreamError("invariant", `one click was counted ${counted} times: ${page}`);
    if (counted === 1) {
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

/** Posts JSON. Throws `unavailable` with the status when it is refused. */
async function ask(path: string, body: unknown): Promise<Response> {
  const response = await fetch(url + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "User-Agent": "node" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  if (response.ok) return response;
  throw new ClickstreamError("unavailable", `POST ${path} was answered ${response.status}`);
}
