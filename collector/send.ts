/** One attempt to deliver one batch; knows nothing of queues and waiting. */
import type { WireBatch } from "../processors/model/event.ts";
import { api } from "./settings.ts";

/** A batch without its sent time: each attempt adds its own. */
export type Unsent = WireBatch & { d: number; q?: string };

/**
 * Characters of a batch. UTF-8 needs at most 3 bytes for each, hence at most 48 KiB, which leaves room
 * in the 64 KiB that all keepalive requests of a page share (https://fetch.spec.whatwg.org/#http-network-or-cache-fetch).
 */
const MAX_CHARS = 16_000;

/**
 * Sends the JSON of an `Unsent`; of anything else the server says so, which is final too. Resolves to true if the answer is final, to anything else if the batch has to be sent again: offline, no answer, 429
 * or 5xx. Never rejects.
 */
export const post = async (batch: string): Promise<unknown> => {
  try {
    const body = `{"t":${Date.now()},${batch.slice(1)}`;
    // Firefox before 133 cancels a fetch with its page.
    if (document.hidden && !("keepalive" in Request.prototype)) return navigator.sendBeacon(api, body);
    // Offline there is no status; not even tried, because the console would tell of it.
    const { status } = (navigator.onLine &&
      (await fetch(api, {
        method: "POST",
        // A text travels as text/plain, and anything else would cost a preflight.
        body,
        credentials: "omit",
        // The few batches beyond the limit would be refused at once with it.
        keepalive: !batch[MAX_CHARS],
      }))) as Response;
    // As `status !== 429`, in two bytes less.
    return status < 500 && status - 429;
  } catch {}
};
