/** What the handlers of one function share: made once per container, so that warm invocations find open connections. */
import { captureClient } from "../capture.ts";
import { systemClock } from "../clock.ts";
import { ENV, parseSites, requireEnv } from "../env.ts";
import { registerSites } from "../pipeline/sites.ts";
import type { Store } from "../stores/store.ts";
import { lazy } from "./lazy.ts";

export const clock = systemClock;

const table = requireEnv(process.env, ENV.table);
export const store: Store = lazy(async () => {
  const { dynamoClient } = await import("../stores/dynamodb-table.ts");
  const { dynamoStore } = await import("../stores/dynamodb.ts");
  return dynamoStore({ table, clock, client: captureClient(dynamoClient()) });
});

let registered: Promise<void> | undefined;

/** Writes the configured sites into the store, once per container; a failure is forgotten, so that the retry tries again. */
export function sitesRegistered(): Promise<void> {
  const sites = parseSites(requireEnv(process.env, ENV.sites));
  registered ??= registerSites(store, clock, sites).catch((error: unknown) => {
    registered = undefined;
    throw error;
  });
  return registered;
}
