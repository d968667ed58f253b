/** One attempt to deliver one batch; knows nothing of queues and waiting. */
import { isVisible } from "./guard.ts";
import { api } from "./settings.ts";

/** Everything of a batch but its sent time: `{"s":...,"t":`. Each attempt adds its own. */
export type Unsent = string;

/**
 * Characters of a batch. UTF-8 needs at most 3 bytes for each, hence at most 48 KiB, which leaves room
 * in the 64 KiB that all keepalive requests of a page share (https://fetch.spec.whatwg.org/#http-network-or-cache-fetch).
 */
export const MAX_CHARS = 16_000;

/**
 * Resolves to false if the batch has to be sent again: no answer, 429 or 5xx. Any other answer is final.
 * Never rejects.
 */
export async function post(batch: Unsent): Promise<boolean> {
  const body = `${batch + Date.now()}}`;
  try {
    // Firefox before 133 cancels a fetch with its page.
    if (!isVisible() && !("keepalive" in Request.prototype)) return navigator.sendBeacon(api, body);
    const { status } = await fetch(api, {
      method: "POST",
      // text/plain, because anything else costs a preflight.
      headers: { "content-type": "text/plain" },
      body,
      credentials: "omit",
      // The few batches beyond the limit would be refused at once with it.
      keepalive: body.length < MAX_CHARS + 500,
    });
    return status < 500 && status !== 429;
  } catch {
    return false;
  }
}
