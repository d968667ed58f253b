/** Country of an address from a packaged table, where no CDN tells it. Knows nothing of who asks, and keeps no address. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type CountryResponse, Reader } from "mmdb-lib";
import { ClickstreamError } from "../errors.ts";
import { publicAddress } from "./address.ts";
import { COUNTRY_TABLE } from "./table.ts";

/**
 * A lookup from IPv4, IPv6 or IPv4-mapped address to ISO 3166-1 alpha-2 code; "" for private, reserved, unknown and
 * malformed addresses. The table is read (about 10 ms, 8 MB) when the first public address asks, so a process that serves
 * only its own machine never pays. A lookup costs 2 microseconds; a cache would cost as much and hold addresses.
 * `path` names another copy of the table. Throws `config` here and now when it is not installed.
 */
export async function countryLookup(path = installed()): Promise<(ip: string) => string> {
  let reader: Reader<CountryResponse> | undefined;
  return (ip) => {
    const address = publicAddress(ip);
    if (address === "") return "";
    // The cache is of the table's rows, a few hundred, not of who asked.
    reader ??= new Reader<CountryResponse>(readFileSync(path), { cache: new Map() });
    // This table's rows are flatter than the library's types, which describe MaxMind's own.
    const row = reader.get(address) as { readonly country_code?: unknown } | null;
    return typeof row?.country_code === "string" ? row.country_code : "";
  };
}

function installed(): string {
  try {
    return createRequire(import.meta.url).resolve(COUNTRY_TABLE);
  } catch (cause) {
    throw new ClickstreamError("config", `country table ${COUNTRY_TABLE} is not installed: run npm install`, {
      cause,
    });
  }
}
