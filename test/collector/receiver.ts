/** A web site and an ingest endpoint on 127.0.0.1, which can be told to fail the ways real ones do. */
import { createServer, type ServerResponse } from "node:http";
import { extname } from "node:path";
import type { WireBatch, WireEvent } from "../../processors/model/event.ts";
import { listening } from "../kit/listening.ts";

/** How to answer one batch: a status, `drop` the connection after the whole body was read, or `status` (204) once `after` resolves. */
export type Answer = number | "drop" | { readonly after: Promise<unknown>; readonly status?: number };

export interface Attempt {
  readonly batch: WireBatch;
  readonly bytes: number;
  readonly answer: Answer;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface Receiver {
  /** Origin of the site; its pages are made by `page`. */
  readonly origin: string;
  readonly attempts: Attempt[];
  /** Answers for the next batches, in order; 204 once they are used up. */
  readonly answers: Answer[];
  /** HTML of each path; unknown paths answer 404. */
  readonly pages: Map<string, string>;
  /** HTML of the page that answers 404. */
  missing: string;
  /** Events as counted: of each batch id once, and only if it was received and not refused. */
  counted(): Array<WireEvent & { page: string; referrer: string }>;
  names(): string[];
  /** Waits until `ready` holds; fails loudly with what has arrived. */
  until(what: string, ready: () => boolean, limitMs?: number): Promise<void>;
  reset(): void;
  close(): Promise<void>;
}

export interface ReceiverOptions {
  readonly collector: string;
  /** Content-Security-Policy of every page. */
  readonly csp?: string;
  /** Files of the site besides `pages`; undefined where there is none. */
  readonly files?: (path: string) => Promise<Buffer | undefined>;
}

const TYPES: Readonly<Record<string, string>> = {
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

export const TAG = '<script defer src="/c.js" data-site="shop.example"></script>';

/** Minimal page with the snippet; `head` goes before it, `body` into it. */
export const page = (body = "", { tag = TAG, head = "" } = {}): string =>
  `<!doctype html><html lang="en"><head><title>t</title><link rel="icon" href="data:,">${head}${tag}</head><body>${body}</body></html>`;

/** Undefined for what the server would refuse. */
function read(body: Buffer): WireBatch | undefined {
  try {
    const batch = JSON.parse(body.toString()) as WireBatch;
    return Array.isArray(batch.e) ? batch : undefined;
  } catch {
    return undefined;
  }
}

export async function startReceiver({ collector, csp, files }: ReceiverOptions): Promise<Receiver> {
  const attempts: Attempt[] = [];
  const answers: Answer[] = [];
  const pages = new Map<string, string>();
  let wake: () => void = () => {};

  const send = (response: ServerResponse, status: number, type: string, body: string | Buffer) =>
    response
      .writeHead(status, { "content-type": type, ...(csp && { "content-security-policy": csp }) })
      .end(body);

  const serve = async (response: ServerResponse, path: string) => {
    const file = await files?.(path);
    send(response, file ? 200 : 404, TYPES[extname(path)] ?? "text/html", file ?? receiver.missing);
  };

  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://site");
    if (request.method === "GET") {
      if (pathname === "/c.js") send(response, 200, "text/javascript", collector);
      else if (pages.has(pathname)) send(response, 200, "text/html", pages.get(pathname)!);
      else void serve(response, pathname);
      return;
    }
    const chunks: Buffer[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const batch = read(body);
      if (!batch) {
        response.writeHead(400, { "access-control-allow-origin": "*" }).end();
        return;
      }
      const answer = answers.shift() ?? 204;
      attempts.push({ batch, bytes: body.length, answer, headers: request.headers });
      const reply = (status: number) =>
        response.writeHead(status, { "access-control-allow-origin": "*" }).end();
      if (answer === "drop") request.socket.destroy();
      else if (typeof answer === "object") void answer.after.then(() => reply(answer.status ?? 204));
      else reply(answer);
      wake();
    });
  });
  const { origin, close } = await listening(server);

  const counted = () => {
    const seen = new Map<string, WireBatch>();
    for (const { batch, answer } of attempts) {
      const status = typeof answer === "object" ? (answer.status ?? 204) : answer;
      if (status !== 204 && status !== "drop") continue;
      for (const one of [...(batch.q ? [JSON.parse(batch.q) as WireBatch] : []), batch])
        seen.set(one.b!, one);
    }
    return [...seen.values()].flatMap((batch) =>
      batch.e.map((event) => ({
        ...event,
        page: event.u ?? batch.c?.u ?? "",
        referrer: event.r ?? batch.c?.r ?? "",
      })),
    );
  };

  const receiver: Receiver = {
    missing: "",
    origin,
    attempts,
    answers,
    pages,
    counted,
    names: () => counted().map(({ n }) => n),
    async until(what, ready, limitMs = 8_000) {
      const deadline = performance.now() + limitMs;
      while (!ready()) {
        const leftMs = deadline - performance.now();
        if (leftMs <= 0) {
          const got = attempts.map(({ batch, answer }) => `${answer} ${JSON.stringify(batch)}`);
          throw new Error(`waited ${limitMs} ms for ${what}; received:\n${got.join("\n")}`);
        }
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, leftMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
    reset() {
      attempts.length = answers.length = 0;
      pages.clear();
      receiver.missing = "";
    },
    close,
  };
  return receiver;
}
