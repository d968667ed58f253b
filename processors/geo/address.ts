/** Which addresses have a place at all. */
import { BlockList, isIP, isIPv4, SocketAddress } from "node:net";

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
