/** Country of an address from a packaged table, where no CDN tells it. Knows nothing of who asks, and keeps no address. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { BlockList, isIP, isIPv4, SocketAddress } from "node:net";
import { type CountryResponse, Reader } from "mmdb-lib";
import { ClickstreamError } from "../errors.ts";
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

/** Special-purpose ranges (RFC 6890, RFC 5737, RFC 3849): registries list a country for some, which would be a fiction. */
const RESERVED_IPV4 =
  "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 " +
  "192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3";
const RESERVED_IPV6 = "::/127 64:ff9b:1::/48 100::/64 2001:db8::/32 3fff::/20 fc00::/7 fe80::/10 ff00::/8";

const reserved = new BlockList();
for (const [ranges, family] of [
  [RESERVED_IPV4, "ipv4"],
  [RESERVED_IPV6, "ipv6"],
] as const) {
  for (const range of ranges.split(" ")) {
    const slash = range.lastIndexOf("/");
    reserved.addSubnet(range.slice(0, slash), Number(range.slice(slash + 1)), family);
  }
}

/** The address as the table knows it, or "" when it has no country. */
export function publicAddress(ip: string): string {
  const family = isIP(ip);
  if (family === 0) return "";
  const address = family === 6 ? unmapped(ip) : ip;
  return reserved.check(address, isIPv4(address) ? "ipv4" : "ipv6") ? "" : address;
}

/** The IPv4 address inside `::ffff:a.b.c.d`, however it is written; other addresses without their zone. */
function unmapped(ip: string): string {
  const { address } = new SocketAddress({ address: ip.split("%", 1)[0]!, family: "ipv6" });
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return mapped?.[1] ?? address;
}
