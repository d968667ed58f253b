/** What the query function needs to ask the archive: Athena, where the deployment keeps one. Made once per container. */
import { ENV, type Environment, latenessOf, requireEnv } from "../env.ts";
import type { Explorer } from "../explorers/explorer.ts";
import { MINUTE_MS } from "../model/time.ts";
import { archiveStore } from "../pipeline/archive.ts";
import { ExploredArchive } from "../pipeline/explore/archive.ts";
import { deliveredUntil } from "../pipeline/explore/delivered.ts";
import { Explorations } from "../pipeline/explore/explorations.ts";
import { lazy } from "./lazy.ts";
import { clock, store } from "./services.ts";

/** Of two statements one after the other, within the function's 25 s. */
const WAIT_MS = 8_000;
/** Firehose gathers for five minutes at most, Athena's answer may be of a run that began five minutes before, and a minute to spare. */
const DELIVERED_WITHIN_MS = 11 * MINUTE_MS;
/** Name of the table in the archive's database. */
const TABLE = "rows";

export interface Exploring {
  readonly archive: ExploredArchive;
  readonly explorations: Explorations;
}

/** Undefined where the deployment keeps no archive. */
export function exploring(environment: Environment): Exploring | undefined {
  const workgroup = environment[ENV.workgroup];
  if (!workgroup) return undefined;
  const database = requireEnv(environment, ENV.database);
  const athena = lazy<Omit<Explorer, "dialect">>(async () => {
    const { athenaExplorer } = await import("../explorers/athena.ts");
    return athenaExplorer({ workgroup, database, table: TABLE });
  });
  const explorer: Explorer = {
    dialect: "trino",
    source: (extent, waitMs) => athena.source(extent, waitMs),
    run: (statement, waitMs) => athena.run(statement, waitMs),
    close: () => athena.close(),
  };
  const delivery = { store, archive: archiveStore(store), clock, withinMs: DELIVERED_WITHIN_MS };
  const archive = new ExploredArchive({
    explorer,
    clock,
    archivedUntil: () => deliveredUntil(delivery),
    waitMs: WAIT_MS,
  });
  return { archive, explorations: new Explorations({ store, clock, archive, ...latenessOf(environment) }) };
}
