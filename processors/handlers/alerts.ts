/** Lambda entry of the minute's watch: holds each site's rules against its numbers and tells the topic. Running twice tells nothing twice. */
import { ENV, latenessOf, requireEnv } from "../env.ts";
import { watch } from "../pipeline/alerts/watch.ts";
import { readFreshness } from "../pipeline/freshness.ts";
import { QueryEngine } from "../pipeline/query/engine.ts";
import { lazy } from "./lazy.ts";
import { clock, store } from "./services.ts";

const engine = new QueryEngine({
  store,
  clock,
  freshness: () => readFreshness(store),
  ...latenessOf(process.env),
});
const topic = requireEnv(process.env, ENV.alertTopic);
const notifier = lazy(async () => {
  const { snsNotifier } = await import("../notifiers/sns.ts");
  return snsNotifier({ topic });
});
const url = requireEnv(process.env, ENV.url);

export const handler = (): Promise<{ readonly rules: number; readonly told: number }> =>
  watch({ store, clock, engine, notifier, url, log: (line) => console.error(line) });
