/** Sends a recorded stream to a running server over HTTP, in its own rhythm or faster. Knows the server only by its URL. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { ClickstreamError } from "../../processors/errors.ts";
import { parseStreamLine, partitionKeyOf, type StreamLine } from "../../processors/model/streamfile.ts";
import { serverUrl } from "./flags.ts";

export interface ReplaySummary {
  readonly sent: number;
  /** Answered with 4xx: bad input in the recording. */
  readonly refused: number;
  /** Lines that are no record. */
  readonly skipped: number;
}

/** What a server takes by POST. Another route might even name another server. */
const ROUTES: ReadonlySet<string> = new Set(["/v1/events", "/api/event"]);
const MAX_IN_FLIGHT = 16;
const MAX_TRIES = 8;
/** Lines that are no record are named up to here: a file of another kind has nothing else. */
const MAX_NAMED = 10;

/**
 * Event times move to now: the server corrects a batch by the difference of its clock and the batch's own sending
 * time, so a recorded click keeps its distance to the moment when it is sent. The visitor's agent goes along as a
 * header and the address as X-Forwarded-For, which the server believes only with --trust-proxy.
 * Throws `config` for an unreadable file and `unavailable` when the server stays away.
 */
export async function replayFile(
  file: string,
  options: { readonly speed: number; readonly url: string; readonly log: (line: string) => void },
): Promise<ReplaySummary> {
  const summary = { sent: 0, refused: 0, skipped: 0 };
  serverUrl(options.url);
  const inFlight = new Set<Promise<void>>();
  /** The last batch under way of each visitor: a visit must arrive in its order, or it would begin with another page. */
  const order = new Map<string, Promise<void>>();
  let failed: unknown;
  let firstArrival: number | undefined;
  const startedAt = performance.now();
  let number = 0;
  for await (const text of linesOf(file)) {
    number++;
    if (text.trim() === "") continue;
    const line = postable(text);
    if ("problem" in line) {
      summary.skipped++;
      if (summary.skipped <= MAX_NAMED) options.log(`${file}:${number}: ${line.problem}`);
      if (summary.skipped === MAX_NAMED) options.log(`${file}: further lines like these are only counted`);
      continue;
    }
    firstArrival ??= line.arrival;
    const due = (line.arrival - firstArrival) / options.speed;
    const wait = due - (performance.now() - startedAt);
    if (wait > 0) await sleep(wait);
    while (inFlight.size >= MAX_IN_FLIGHT) await Promise.race(inFlight);
    if (failed) break;
    const visitor = partitionKeyOf(line.envelope);
    const sending = (order.get(visitor) ?? Promise.resolve())
      .then(() => send(options.url, line))
      .then((accepted) => {
        if (accepted) summary.sent++;
        else summary.refused++;
      })
      .catch((error: unknown) => {
        failed ??= error;
      })
      .finally(() => {
        inFlight.delete(sending);
        if (order.get(visitor) === sending) order.delete(visitor);
      });
    inFlight.add(sending);
    order.set(visitor, sending);
  }
  await Promise.all(inFlight);
  if (failed) throw failed;
  return summary;
}

function postable(text: string): ReturnType<typeof parseStreamLine> {
  const line = parseStreamLine(text);
  if ("problem" in line || ROUTES.has(line.envelope.route)) return line;
  return { problem: `envelope.route: none of ${[...ROUTES].join(", ")}` };
}

/** The lines of a text file, without the mark that some editors begin one with. Throws `config` when it cannot be read. */
export async function* linesOf(file: string): AsyncGenerator<string> {
  const input = createReadStream(file, "utf8");
  let isFirst = true;
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      yield isFirst ? line.replace(/^\uFEFF/, "") : line;
      isFirst = false;
    }
  } catch (cause) {
    throw new ClickstreamError("config", `${file}: cannot be read`, { cause });
  }
}

/** As much of it as a header takes: a recording may hold anything. */
const headerText = (text: string): string => text.replace(/[^\x20-\x7e]/g, "");

/** True when it was accepted, false when it was refused. A batch keeps its id, so trying again counts nothing twice. */
async function send(url: string, { envelope }: StreamLine): Promise<boolean> {
  const text = (encoded: string): string => Buffer.from(encoded, "base64").toString("utf8");
  const agent = headerText(text(envelope.ua64));
  const address = headerText(envelope.ip);
  for (let tries = 1; ; tries++) {
    try {
      const response = await fetch(new URL(envelope.route, url), {
        method: "POST",
        headers: {
          "Content-Type": "text/plain",
          ...(agent ? { "User-Agent": agent } : {}),
          ...(address ? { "X-Forwarded-For": address } : {}),
        },
        body: Buffer.from(envelope.body64, "base64"),
      });
      await response.arrayBuffer();
      if (response.ok) return true;
      if (response.status < 500 && response.status !== 429) return false;
      if (tries >= MAX_TRIES) throw new ClickstreamError("unavailable", `${url} answers ${response.status}`);
    } catch (cause) {
      if (cause instanceof ClickstreamError) throw cause;
      if (tries >= MAX_TRIES)
        throw new ClickstreamError("unavailable", `${url} cannot be reached`, { cause });
    }
    await sleep(Math.min(100 * 2 ** tries, 5_000));
  }
}
