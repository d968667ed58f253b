/** Who asks, and for whom: the client's address and the host name it used. */
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";

/**
 * The client's address: the peer's, or behind a proxy of our own the last entry of X-Forwarded-For, which is the one
 * that the proxy wrote; everything before it is what the client claims.
 */
export function clientAddress(request: IncomingMessage, trustProxy: boolean): string {
  if (trustProxy) {
    const forwarded = request.headers["x-forwarded-for"];
    const last = (Array.isArray(forwarded) ? forwarded.join(",") : (forwarded ?? ""))
      .split(",")
      .at(-1)
      ?.trim();
    if (last !== undefined && isIP(last) !== 0) return plain(last);
  }
  return plain(request.socket.remoteAddress ?? "");
}

/** A server on both protocols sees IPv4 clients as ::ffff:1.2.3.4. */
const plain = (address: string): string => (address.startsWith("::ffff:") ? address.slice(7) : address);

/** Whether a server bound to `host` can be reached from this machine only. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);

/** Whether a Host header names this machine, or one of `allowed`. */
export function hostAllowed(header: string | undefined, allowed: ReadonlySet<string>): boolean {
  const name = (header ?? "").toLowerCase().replace(/:\d+$/, "");
  return name === "localhost" || name === "127.0.0.1" || name === "[::1]" || allowed.has(name);
}
