/**
 * The minute's watch: holds every rule against its site's numbers, and sees to it that each change is told at least once
 * and not again and again. Running twice at once tells nothing twice: who changes a rule's state decides what is told.
 */
import { ClickstreamError } from "../../errors.ts";
import { type Clock, DAY_MS, type EpochMs } from "../../model/time.ts";
import type { Alert, Notifier } from "../../notifiers/notifier.ts";
import type { Store } from "../../stores/store.ts";
import type { QueryEngine } from "../query/engine.ts";
import { activeSites } from "../sites.ts";
import { type Finding, observe } from "./observe.ts";
import { type AlertRule, listRules } from "./rules.ts";
import { textOf } from "./text.ts";

export interface WatchDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly engine: Pick<QueryEngine, "query" | "live">;
  readonly notifier: Notifier;
  /** Origin of the dashboard; no slash at its end. */
  readonly url: string;
  /** Told of rules that could not be looked at and of alerts that could not be told; they are tried again. */
  readonly log: (message: string) => void;
}

/** What is remembered of a rule. */
interface RuleState {
  /** Set while it finds something. */
  readonly firing?: { readonly since: EpochMs; readonly toldAt: EpochMs };
  /** Before this nothing new is told, though it may have ended and begun again. */
  readonly quietUntil: EpochMs;
  /** Decided and not delivered yet. */
  readonly pending: readonly Alert[];
}

const STATE_PK = "alert-state";
const NEVER: RuleState = { quietUntil: 0, pending: [] };
const historyOf = (site: string): string => `alert/${site}`;
/** How long an alert is shown, and how long a receiver that is away is tried. */
const HISTORY_MS = 30 * DAY_MS;
const PATIENCE_MS = DAY_MS;
const MAX_SHOWN = 100;
/** Longer than a receiver takes, and shorter than from one look to the next. */
const DELIVERING_MS = 30_000;

/**
 * Looks at every rule of every site that is counted. Throws when the store cannot be read, and after all of them where one
 * met a bug: no rule may keep the others from being looked at.
 */
export async function watch(deps: WatchDeps): Promise<{ readonly rules: number; readonly told: number }> {
  const zones = new Map((await activeSites(deps.store)).map(({ id, timeZone }) => [id, timeZone]));
  const rules = (await listRules(deps.store)).filter(({ site }) => zones.has(site));
  const bugs: unknown[] = [];
  let told = 0;
  for (const rule of rules) {
    try {
      told += await step(rule, zones.get(rule.site)!, deps);
    } catch (error) {
      if (!(error instanceof ClickstreamError)) bugs.push(error);
      deps.log(`alert ${rule.id} of ${rule.site}: ${error instanceof Error ? error.message : error}`);
    }
  }
  if (bugs.length > 0) throw bugs[0];
  return { rules: rules.length, told };
}

async function step(rule: AlertRule, zone: string, deps: WatchDeps): Promise<number> {
  const { store, clock, engine } = deps;
  const key = { pk: STATE_PK, sk: `${rule.site}\u0000${rule.id}` };
  const item = await store.get(key);
  const state = item ? (JSON.parse(new TextDecoder().decode(item.value)) as RuleState) : NEVER;
  const now = clock.now();
  const finding = await observe(rule, zone, engine, now);
  const next = decide(rule, state, finding, now, deps.url);
  const put = (value: RuleState, version: number): Promise<boolean> =>
    store.put({ ...key, value: new TextEncoder().encode(JSON.stringify(value)) }, version);
  let version = item?.version ?? 0;
  if (next !== state) {
    if (!(await put(next, version))) return 0; // another watch has decided
    version += 1;
  } else if (now - (state.pending.at(-1)?.at ?? 0) < DELIVERING_MS) return 0; // another watch is telling it
  let told = 0;
  for (const alert of next.pending) {
    try {
      await deps.notifier.notify(alert, rule.webhook === undefined ? {} : { webhook: rule.webhook });
    } catch (error) {
      if (!(error instanceof ClickstreamError)) throw error;
      deps.log(`alert ${alert.id} was not delivered: ${error.message}`);
      if (now - alert.at < PATIENCE_MS) break;
    }
    await remember(store, alert);
    told += 1;
  }
  // Without this the same is delivered again: at least once, with the same id.
  if (told > 0) await put({ ...next, pending: next.pending.slice(told) }, version);
  return told;
}

/** What becomes of a rule's state, and what is to be told: its beginning, that it goes on after each hold-off, and its end. */
function decide(
  rule: AlertRule,
  state: RuleState,
  finding: Awaited<ReturnType<typeof observe>>,
  now: EpochMs,
  url: string,
): RuleState {
  if (finding === "unknown") return state;
  const { firing, pending } = state;
  const tell = (kind: "firing" | "over", found: Finding, since: EpochMs): Alert[] => [
    ...pending,
    {
      id: `${rule.id}-${since}-${kind}-${now}`,
      rule: rule.id,
      site: rule.site,
      kind: rule.kind,
      state: kind,
      since,
      at: now,
      value: found.value,
      expected: found.expected,
      text: textOf(rule, kind, found, since, now),
      url: `${url}/?${new URLSearchParams({ site: rule.site, period: rule.minutes <= 30 ? "realtime" : "day" })}`,
    },
  ];
  if (finding) {
    if (firing && now - firing.toldAt < rule.holdOffMs) return state;
    if (!firing && now < state.quietUntil) return state;
    const since = firing?.since ?? finding.since ?? now;
    return {
      firing: { since, toldAt: now },
      quietUntil: now + rule.holdOffMs,
      pending: tell("firing", finding, since),
    };
  }
  if (!firing) return state;
  return {
    quietUntil: state.quietUntil,
    pending: tell("over", { value: 0, expected: 0 }, firing.since),
  };
}

async function remember(store: Store, alert: Alert): Promise<void> {
  const value = new TextEncoder().encode(JSON.stringify(alert));
  const sk = `${String(alert.at).padStart(13, "0")}-${alert.rule}-${alert.state}`;
  await store.put({ pk: historyOf(alert.site), sk, value, expiresAt: alert.at + HISTORY_MS }, 0);
}

/** What was told of a site lately, newest first. */
export async function recentAlerts(store: Store, site: string): Promise<Alert[]> {
  const items = await store.list(historyOf(site), { reverse: true, limit: MAX_SHOWN });
  return items.map(({ value }) => JSON.parse(new TextDecoder().decode(value)) as Alert);
}
