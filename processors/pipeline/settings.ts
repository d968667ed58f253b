/** What a site's owner defined for all who look at it: goals and funnels. Kept in the store under a version, within strict limits. */
import { LIMITS } from "../model/event.ts";
import type { Store } from "../stores/store.ts";
import { bad } from "./fields.ts";
import { decodeJson, encodeJson } from "./json.ts";

/** An event by its name or a page by its path, with the name that people read. */
export type Goal = { readonly name?: string } & ({ readonly event: string } | { readonly page: string });
export type FunnelStep = { readonly goal: string } | { readonly page: string };
export interface Funnel {
  readonly name: string;
  readonly steps: readonly FunnelStep[];
}

export interface Settings {
  /** 0 while nothing was ever saved. */
  readonly version: number;
  readonly goals: readonly Goal[];
  readonly funnels: readonly Funnel[];
}

const SETTINGS_PK = "settings";
const MAX_GOALS = 30;
const MAX_FUNNELS = 10;
const MIN_STEPS = 2;
const MAX_STEPS = 8;
const MAX_NAME_CHARS = 100;

export async function readSettings(store: Store, site: string): Promise<Settings> {
  const item = await store.get({ pk: SETTINGS_PK, sk: site });
  if (!item) return { version: 0, goals: [], funnels: [] };
  const saved = decodeJson<Omit<Settings, "version">>(item.value);
  return { ...saved, version: item.version };
}

/**
 * Saves settings that were based on `version`. Throws `bad_request` naming the field, also when somebody else saved in
 * between: their work must not vanish unseen.
 */
export async function saveSettings(store: Store, site: string, body: unknown): Promise<Settings> {
  const { version, goals, funnels } = record(body, "body");
  if (!Number.isInteger(version) || (version as number) < 0)
    bad("version: the number that was read is needed");
  const saved = {
    goals: list(goals, "goals", MAX_GOALS).map((goal, i) => goalOf(goal, `goals[${i}]`)),
    funnels: list(funnels, "funnels", MAX_FUNNELS).map((funnel, i) => funnelOf(funnel, `funnels[${i}]`)),
  };
  const names = saved.funnels.map(({ name }) => name);
  if (new Set(names).size < names.length) bad("funnels: two have the same name");
  const value = encodeJson(saved);
  if (!(await store.put({ pk: SETTINGS_PK, sk: site, value }, version as number)))
    bad("version: somebody else saved meanwhile; read again");
  return { ...saved, version: (version as number) + 1 };
}

function goalOf(value: unknown, field: string): Goal {
  const { name, event, page, ...others } = record(value, field);
  none(others, field);
  const named =
    name === undefined || name === "" ? {} : { name: text(name, `${field}.name`, MAX_NAME_CHARS) };
  if ((event === undefined) === (page === undefined)) bad(`${field}: needs event or page`);
  return event === undefined
    ? { ...named, page: path(page, `${field}.page`) }
    : { ...named, event: text(event, `${field}.event`, LIMITS.nameChars) };
}

function funnelOf(value: unknown, field: string): Funnel {
  const { name, steps, ...others } = record(value, field);
  none(others, field);
  const taken = list(steps, `${field}.steps`, MAX_STEPS);
  if (taken.length < MIN_STEPS) bad(`${field}.steps: at least ${MIN_STEPS}`);
  return {
    name: text(name, `${field}.name`, MAX_NAME_CHARS),
    steps: taken.map((step, i) => stepOf(step, `${field}.steps[${i}]`)),
  };
}

function stepOf(value: unknown, field: string): FunnelStep {
  const { goal, page, ...others } = record(value, field);
  none(others, field);
  if ((goal === undefined) === (page === undefined)) bad(`${field}: needs goal or page`);
  return goal === undefined
    ? { page: path(page, `${field}.page`) }
    : { goal: text(goal, `${field}.goal`, LIMITS.nameChars) };
}

function record(value: unknown, field: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return bad(`${field}: not an object`);
  return value as Record<string, unknown>;
}

function none(others: Record<string, unknown>, field: string): void {
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) bad(`${field}.${unknown.slice(0, 40)}: no such field`);
}

function list(value: unknown, field: string, most: number): readonly unknown[] {
  if (!Array.isArray(value)) return bad(`${field}: not a list`);
  if (value.length > most) bad(`${field}: at most ${most}`);
  return value;
}

function text(value: unknown, field: string, most: number): string {
  if (typeof value !== "string" || value.trim() === "") return bad(`${field}: text is needed`);
  if (value.length > most) bad(`${field}: at most ${most} characters`);
  if (/\p{Cc}/u.test(value)) bad(`${field}: holds control characters`);
  return value;
}

/** As `event:page` has it: without query and fragment. */
function path(value: unknown, field: string): string {
  const found = text(value, field, LIMITS.urlChars);
  if (!found.startsWith("/")) bad(`${field}: a path begins with /`);
  return found;
}
