/** Reads the fields of what a client sent. Every refusal is a `bad_request` whose message begins with the field. */
import { ClickstreamError } from "../errors.ts";

export const bad = (message: string): never => {
  throw new ClickstreamError("bad_request", message);
};

/**
 * Repeats what the client sent, cut, so that it finds its own words in the message. Lists and objects are only named: they
 * may be nested deeper than JSON.stringify can go.
 */
export function quote(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value ?? null).slice(0, 80);
  return Array.isArray(value) ? "a list" : "an object";
}

export function list(value: unknown, field: string, max: number): unknown[] {
  if (!Array.isArray(value)) return bad(`${field}: required, an array`);
  if (value.length > max) bad(`${field}: at most ${max} entries`);
  return value;
}

export const present = (value: unknown): boolean => value !== undefined && value !== null;

/** An object, or nothing. */
export function fields(value: unknown, field: string): Record<string, unknown> {
  const raw = value ?? {};
  if (typeof raw !== "object" || Array.isArray(raw)) return bad(`${field}: an object`);
  return raw as Record<string, unknown>;
}

/** Two texts, or undefined. */
export function twoTexts(value: unknown): readonly [string, string] | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [first, last] = value as unknown[];
  return typeof first === "string" && typeof last === "string" ? [first, last] : undefined;
}
