/** What is known about a visit when it begins, as the values of its dimensions. Raw address and agent header end here. */

import type { Envelope } from "../../model/envelope.ts";
import type { Batch, ClickEvent } from "../../model/event.ts";
import { acquire } from "./acquisition.ts";
import type { Agent } from "./agent.ts";
import { languageOf, screenOf } from "./screen.ts";

/**
 * Values in the order of VISIT_DIMENSIONS for a visit that begins with `event`; "" where unknown.
 * `country` is a function, because most events begin no visit and then nobody needs to look it up.
 */
export function visitAttributes(
  event: Pick<ClickEvent, "url" | "referrer">,
  batch: Pick<Batch, "screenWidth" | "language">,
  agent: Agent,
  country: () => string,
): string[] {
  const from = acquire(event.url, event.referrer);
  // In the order of VISIT_DIMENSIONS, which a test looks at.
  return [
    from.source,
    from.channel,
    from.referrer,
    from.utmSource,
    from.utmMedium,
    from.utmCampaign,
    from.utmTerm,
    from.utmContent,
    event.url.path,
    agent.device,
    agent.browser,
    agent.os,
    country(),
    screenOf(batch.screenWidth),
    languageOf(batch.language),
  ];
}

/**
 * Country of an envelope. The edge's answer wins: a CDN sees the address first hand, and its table is fresher than a
 * packaged one. `lookup` is asked when the edge does not know, and what is no country code is "".
 */
export const countryOf = (
  envelope: Pick<Envelope, "ip" | "country">,
  lookup: (ip: string) => string,
): string => countryCode(envelope.country) || countryCode(lookup(envelope.ip));

/** Codes by which CDNs and tables say "unknown", "an anonymising network" or "somewhere in a region". */
const NO_COUNTRY: ReadonlySet<string> = new Set(["XX", "T1", "ZZ", "A1", "A2", "O1", "AP", "EU"]);

/** An ISO 3166-1 alpha-2 code in upper case, or "" for what is none. */
function countryCode(raw: string): string {
  const code = raw.trim().toUpperCase();
  return /^[A-Z]{2}$/.test(code) && !NO_COUNTRY.has(code) ? code : "";
}
