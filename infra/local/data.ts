/** Opens the data of a running or a stopped server for one command. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Command, Option } from "commander";
import { systemClock } from "../../processors/clock.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import { activeSites } from "../../processors/pipeline/sites.ts";
import type { Store } from "../../processors/stores/store.ts";
import { openDirectory, openStore } from "./opening.ts";
import type { Output } from "./terminal.ts";

export interface DataFlags {
  readonly data: string;
  readonly store?: string;
}

export type Open = <T>(
  flags: DataFlags,
  mayCreate: boolean,
  work: (store: Store) => Promise<T>,
) => Promise<T>;

/** Opens the store for one piece of work. What only reads or removes needs data that are there: a typo must not make any. */
export const opener =
  (log: (line: string) => void): Open =>
  async (flags, mayCreate, work) => {
    if (flags.store === undefined && !mayCreate && !existsSync(join(flags.data, "store.db")))
      throw new ClickstreamError("config", `--data ${flags.data}: no data of Rivulet there`);
    if (flags.store === undefined) await openDirectory(flags.data);
    const wanted = { dataDirectory: flags.data, store: flags.store, log };
    // A table is made by a server or a deployment, never by a command that may have mistyped its name.
    const store = await openStore(wanted, systemClock, { mayCreateTable: false });
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  };

/** Throws `config` for a site that is not counted: what is asked about it would otherwise merely be empty. */
export async function checkCounted(store: Store, site: string): Promise<void> {
  if (!(await activeSites(store)).some(({ id }) => id === site))
    throw new ClickstreamError("config", `site "${site}" is not registered`);
}

/** What a command prints of a list: its lines, or on the other output that there are none, so that scripts read nothing. */
export function printList({ print, warn }: Output, lines: readonly string[], none: string): void {
  for (const line of lines) print(line);
  if (lines.length === 0) warn(none);
}

/** The flags by which another command finds the same data, as they follow its own; none where they are the default. */
export function dataFlags({ data, store }: DataFlags): string {
  if (store) return ` --store ${store}`;
  return data === DEFAULT_DATA ? "" : ` --data ${quoted(data)}`;
}

/** As a shell takes it. */
const quoted = (text: string): string =>
  /^[\w./~@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

const DEFAULT_DATA = "./data";

export const withData = (command: Command): Command =>
  command
    .option("--data <directory>", "where the data are kept", DEFAULT_DATA)
    .addOption(new Option("--store <dynamodb:table>", "the DynamoDB table that holds them instead"));
