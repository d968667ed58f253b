/** Adds to a batch what its envelope tells: agent, country, screen, language. Raw address and header end here. */
import type { Envelope } from "../../model/envelope.ts";
import type { Batch } from "../../model/event.ts";
import { base64Header } from "../decode/base64.ts";
import type { Agent } from "./agent.ts";
import { languageOf, type Screen, screenOf } from "./screen.ts";

export interface EnrichDeps {
  /** From `agentParser`: kept by the caller, so that its cache lives as long as the process. */
  readonly agent: (userAgent: string) => Agent;
  /** ISO 3166-1 alpha-2 code of an address, "" when unknown. Asked only when the edge did not say. */
  readonly country: (ip: string) => string;
}

/** What all events of a batch share. Unknown text is "". */
export interface Enrichment {
  readonly agent: Agent;
  readonly country: string;
  readonly screen: Screen;
  readonly language: string;
}

/** The edge's country wins: a CDN sees the address first hand, and its table is fresher than a packaged one. */
export function enrichBatch(
  envelope: Pick<Envelope, "ip" | "ua64" | "country">,
  batch: Pick<Batch, "screenWidth" | "language">,
  deps: EnrichDeps,
): Enrichment {
  return {
    agent: deps.agent(userAgentOf(envelope)),
    country: countryCode(envelope.country) || countryCode(deps.country(envelope.ip)),
    screen: screenOf(batch.screenWidth),
    language: languageOf(batch.language),
  };
}

/** The User-Agent header as text; the visitor id is keyed by it too. */
export const userAgentOf = (envelope: Pick<Envelope, "ua64">): string => base64Header(envelope.ua64);

/** Codes by which CDNs and tables say "unknown", "an anonymising network" or "some place". */
const NO_COUNTRY: ReadonlySet<string> = new Set(["XX", "T1", "ZZ", "A1", "A2", "O1", "AP", "EU"]);

/** An ISO 3166-1 alpha-2 code in upper case, or "" for what is none. */
export function countryCode(raw: string): string {
  const code = raw.trim().toUpperCase();
  return /^[A-Z]{2}$/.test(code) && !NO_COUNTRY.has(code) ? code : "";
}
