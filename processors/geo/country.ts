/** Country of an address from a packaged table, where no CDN tells it. Knows nothing of who asks, and keeps no address. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { isIPv4 } from "node:net";
import { type CountryResponse, Reader } from "mmdb-lib";
import { ClickstreamError } from "../errors.ts";
import { Recent } from "../model/recent.ts";
import { publicAddress } from "./address.ts";
import { COUNTRY_TABLE } from "./table.ts";

/**
 * A lookup from IPv4, IPv6 or IPv4-mapped address to ISO 3166-1 alpha-2 code; "" for private, reserved, unknown and
 * malformed addresses. The table is read (about 10 ms, 8 MB) when the first public address asks, so a process that serves
 * only its own machine never pays. A lookup costs 2 microseconds, and a quarter of that where the network is known.
 * `path` names another copy of the table. Throws `config` here and now when it is not installed.
 */
export async function countryLookup(path = installed()): Promise<(ip: string) => string> {
  let reader: Reader<CountryResponse> | undefined;
  const find = (ip: string): { readonly code: string; readonly prefixLength: number } => {
    const address = publicAddress(ip);
    if (address === "") return { code: "", prefixLength: 0 };
    // The cache is of the table's rows, a few hundred, not of who asked.
    reader ??= new Reader<CountryResponse>(readFileSync(path), { cache: new Map() });
    const [row, prefixLength] = reader.getWithPrefixLength(address);
    // This table's rows are flatter than the library's types, which describe MaxMind's own.
    const code = (row as { readonly country_code?: unknown } | null)?.country_code;
    return { code: typeof code === "string" ? code : "", prefixLength };
  };
  const networks = new Recent<string, string>(MAX_NETWORKS);
  return (ip) => {
    if (!isIPv4(ip)) return find(ip).code;
    const network = ip.slice(0, ip.lastIndexOf("."));
    const known = networks.get(network);
    if (known !== undefined) return known;
    const { code, prefixLength } = find(ip);
    if (prefixLength <= NETWORK_BITS) networks.set(network, code);
    return code;
  };
}

/**
 * What is remembered is the network of 256 addresses that somebody is in, never the address; 3 MB at most. The ranges
 * that have no country are none smaller (address.ts).
 */
const NETWORK_BITS = 24;
const MAX_NETWORKS = 16_384;

function installed(): string {
  try {
    return createRequire(import.meta.url).resolve(COUNTRY_TABLE);
  } catch (cause) {
    throw new ClickstreamError("config", `country table ${COUNTRY_TABLE} is not installed: run npm install`, {
      cause,
    });
  }
}
