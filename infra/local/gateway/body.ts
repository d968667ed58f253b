/** Reads a request's body up to a limit. Never holds more than the limit, whatever the client sends or claims. */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";

/** The text and its bytes; or why there is none. "gone": the client went away, and nobody is left to answer. */
export type BodyResult =
  | { readonly text: string; readonly bytes: Buffer }
  | { readonly problem: "too_large" | "not_utf8" | "gone"; readonly text?: undefined };

/** Whether the declared length alone is over the limit. */
export const declaresTooMuch = (request: IncomingMessage, maxBytes: number): boolean =>
  Number(request.headers["content-length"] ?? 0) > maxBytes;

/** Resolves once the body ended, exceeded `maxBytes`, or broke off. Never rejects. */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<BodyResult> {
  if (declaresTooMuch(request, maxBytes)) return Promise.resolve({ problem: "too_large" });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request
      .on("data", (chunk: Buffer) => {
        length += chunk.length;
        if (length <= maxBytes) chunks.push(chunk);
        else {
          chunks.length = 0; // what follows is not kept either: see `discard`
          resolve({ problem: "too_large" });
        }
      })
      .on("end", () => {
        const bytes = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
        resolve(isUtf8(bytes) ? { text: bytes.toString("utf8"), bytes } : { problem: "not_utf8" });
      })
      // A broken connection also emits "error"; the "close" that follows is enough for us.
      .on("close", () => resolve({ problem: "gone" }))
      .on("error", ignore);
  });
}

const ignore = (): void => {};

/** How long a refused sender may go on before its connection is cut. */
const LINGER_MS = 1_000;

/**
 * Throws away what a refused sender still sends, for a while. Closing at once would reset the connection, and the
 * sender would see the reset instead of our answer; so a body that ends in time even leaves the connection usable.
 */
export function discard(request: IncomingMessage): void {
  request.on("error", ignore).resume();
  const cut = setTimeout(() => request.destroy(), LINGER_MS).unref();
  request.once("end", () => clearTimeout(cut));
}
