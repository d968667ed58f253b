/** Listens where the X-Ray daemon would: takes segment documents by UDP and puts them into the store. Answers nothing. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { TraceStore } from "./store.ts";

export interface TraceReceiver {
  /** `127.0.0.1:port`, for `xrayTracer({ daemonAddress })`. */
  readonly address: string;
  close(): Promise<void>;
}

/** The daemon's port. */
const DAEMON_PORT = 2000;

/**
 * Starts on the loopback interface at `port` (default 2000, the daemon's), or at a free port if that one is taken: a
 * real daemon may be running. `port: 0` takes any free one. Does not keep the process alive.
 */
export async function startTraceReceiver({
  store,
  port = DAEMON_PORT,
}: {
  store: TraceStore;
  port?: number;
}): Promise<TraceReceiver> {
  const socket = await bind(port).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EADDRINUSE" || error.code === "EACCES") return bind(0);
    throw error;
  });
  socket.on("message", (datagram) => {
    const document = parseDatagram(datagram);
    if (document !== undefined) store.add(document);
  });
  // A later socket error concerns one datagram, not the process; unhandled it would end it.
  socket.on("error", () => {});
  socket.unref();
  return {
    address: `127.0.0.1:${socket.address().port}`,
    async close() {
      const closed = once(socket, "close");
      socket.close();
      await closed;
    },
  };
}

async function bind(port: number): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind(port, "127.0.0.1");
  try {
    await once(socket, "listening");
  } catch (error) {
    socket.close();
    throw error;
  }
  return socket;
}

/** The document of one datagram: a header line `{"format":"json","version":1}`, then JSON. Undefined if it is anything else. */
export function parseDatagram(datagram: Uint8Array): unknown {
  const text = new TextDecoder().decode(datagram);
  const newline = text.indexOf("\n");
  if (newline < 0) return undefined;
  try {
    const header: unknown = JSON.parse(text.slice(0, newline));
    if (typeof header !== "object" || header === null) return undefined;
    if (!("format" in header) || header.format !== "json" || !("version" in header) || header.version !== 1) {
      return undefined;
    }
    return JSON.parse(text.slice(newline + 1));
  } catch {
    return undefined;
  }
}
