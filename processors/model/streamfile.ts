/** A recorded stream: NDJSON, one record a line, either an envelope or `{"shard", "arrival", "envelope"}`. */
import type { Envelope } from "./envelope.ts";
import type { EpochMs } from "./time.ts";

export interface StreamLine {
  /** Index of the shard it was in; absent when the partition key should decide. */
  readonly shard?: number;
  /** When the stream took it. */
  readonly arrival: EpochMs;
  readonly envelope: Envelope;
}

/** The record in a line, or what is wrong with it. Fields that the edge may not know are "" when absent. */
export function parseStreamLine(text: string): StreamLine | { readonly problem: string } {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return { problem: "not JSON" };
  }
  if (!isRecord(raw)) return { problem: "not an object" };
  const envelope = "envelope" in raw ? raw.envelope : raw;
  if (!isRecord(envelope)) return { problem: "envelope: not an object" };
  const { at, route, body64 } = envelope;
  if (!isTime(at)) return { problem: "envelope.at: not a time in epoch milliseconds" };
  if (typeof route !== "string" || typeof body64 !== "string")
    return { problem: "envelope: route and body64 are required" };
  const arrival = "envelope" in raw ? (raw.arrival ?? at) : at;
  if (!isTime(arrival)) return { problem: "arrival: not a time in epoch milliseconds" };
  const { shard } = raw;
  if (shard !== undefined && !(Number.isInteger(shard) && (shard as number) >= 0))
    return { problem: "shard: not an index" };
  const field = (key: string): string => (typeof envelope[key] === "string" ? (envelope[key] as string) : "");
  return {
    ...(shard === undefined ? {} : { shard: shard as number }),
    arrival,
    envelope: {
      route,
      id: field("id"),
      at,
      ip: field("ip"),
      ua64: field("ua64"),
      country: field("country"),
      trace64: field("trace64"),
      origin64: field("origin64"),
      body64,
    },
  };
}

/** Up to what a Date holds; 1e999 is JSON too. https://tc39.es/ecma262/#sec-time-values-and-time-range */
const isTime = (value: unknown): value is EpochMs =>
  typeof value === "number" && value >= 0 && value <= 8.64e15;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The partition key of a recorded envelope: the same visitor always gives the same one. */
export const partitionKeyOf = ({ ip, ua64 }: Envelope): string => `${ip}|${ua64}`.slice(0, 256) || "unknown";
