/** Tells of alerts by a POST of JSON to the address in the rule; `text` is what chat programs show. */
import { ClickstreamError } from "../errors.ts";
import type { Notifier } from "./notifier.ts";

const TIMEOUT_MS = 10_000;

/** Rules without an address are told to nobody: the dashboard shows them. */
export const webhookNotifier = (): Notifier => ({
  async notify(alert, { webhook, signal }) {
    if (webhook === undefined) return;
    const { host } = new URL(webhook); // the rest of an address may be a secret
    let response: Response;
    try {
      response = await fetch(webhook, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(alert),
        // Where it leads is for the owner to name: the alert is sent to nobody else.
        redirect: "manual",
        signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(signal ? [signal] : [])]),
      });
      // The status says it all; what follows may have no end.
      await response.body?.cancel();
    } catch (cause) {
      throw new ClickstreamError("unavailable", `webhook at ${host}: no answer`, { cause });
    }
    if (response.status === 429) throw new ClickstreamError("throttled", `webhook at ${host}: answered 429`);
    if (response.status >= 300 && response.status < 400)
      throw new ClickstreamError(
        "unavailable",
        `webhook at ${host}: answered ${response.status}, which leads elsewhere: give the rule that address`,
      );
    if (!response.ok)
      throw new ClickstreamError("unavailable", `webhook at ${host}: answered ${response.status}`);
  },
});
