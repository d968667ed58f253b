/**
 * The minute's watch: holds every rule against its site's numbers, and sees to it that each change is told at least once
 * and not again and again. Running twice at once tells nothing twice: who changes a rule's state decides what is told.
 */
import { ClickstreamError } from "../../errors.ts";
import { type Clock, DAY_MS, type EpochMs } from "../../model/time.ts";
import type { Alert, Notifier } from "../../notifiers/notifier.ts";
import type { Item, Store } from "../../stores/store.ts";
import { decodeJson, encodeJson } from "../json.ts";
import type { QueryEngine } from "../query/engine.ts";
import { instantKey } from "../rollups.ts";
import { activeSites } from "../sites.ts";
import { type Finding, observe } from "./observe.ts";
import { type AlertRule, listRules, MAX_HOLD_OFF_MS, ruleKey } from "./rules.ts";
import { textOf } from "./text.ts";

export interface WatchDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly engine: Pick<QueryEngine, "query" | "live">;
  readonly notifier: Notifier;
  /** Origin of the dashboard; no slash at its end. */
  readonly url: string;
  /** Ends the telling that is under way; it is made up for. */
  readonly signal?: AbortSignal;
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

const stateKey = ({ site, id }: Pick<AlertRule, "site" | "id">) => ({
  pk: "alert-state",
  sk: `${site}\u0000${id}`,
});
/** What goes on is noted again after each hold-off: a state that is older says nothing any more. */
const STATE_MS = 2 * MAX_HOLD_OFF_MS;
const stateOf = (item: Item | undefined): RuleState => (item ? decodeJson<RuleState>(item.value) : NEVER);
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
 * met a bug: no rule may keep the others from being looked at, nor a receiver that is slow.
 */
export async function watch(deps: WatchDeps): Promise<{ readonly rules: number; readonly told: number }> {
  const zones = new Map((await activeSites(deps.store)).map(({ id, timeZone }) => [id, timeZone]));
  const rules = (await listRules(deps.store)).filter(({ site }) => zones.has(site));
  const bugs: unknown[] = [];
  const guarded = async <T>(rule: AlertRule, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ClickstreamError)) bugs.push(error);
      deps.log(`alert ${rule.id} of ${rule.site}: ${error instanceof Error ? error.message : error}`);
      return undefined;
    }
  };
  const telling: Promise<number | undefined>[] = [];
  for (const rule of rules) {
    const tell = await guarded(rule, () => look(rule, zones.get(rule.site)!, deps));
    if (tell) telling.push(guarded(rule, tell));
  }
  const told = (await Promise.all(telling)).reduce<number>((sum, count = 0) => sum + count, 0);
  if (bugs.length > 0) throw bugs[0];
  return { rules: rules.length, told };
}

/** Decides what becomes of a rule's state. Answers what tells of it, undefined where there is nothing to tell. */
async function look(
  rule: AlertRule,
  zone: string,
  deps: WatchDeps,
): Promise<(() => Promise<number>) | undefined> {
  const { store, clock, engine } = deps;
  const key = stateKey(rule);
  const item = await store.get(key);
  const state = stateOf(item);
  const now = clock.now();
  const finding = await observe(rule, zone, engine, { now, wasFound: state.firing !== undefined });
  const next = decide(rule, state, finding, now, deps.url);
  const put = (value: RuleState, version: number): Promise<boolean> =>
    store.put({ ...key, value: encodeJson(value), expiresAt: now + STATE_MS }, version);
  let version = item?.version ?? 0;
  if (next !== state) {
    if (!(await put(next, version))) return undefined; // another watch has decided
    // A state that has expired counts as none, and its version goes on all the same.
    version = item ? version + 1 : ((await store.get(key))?.version ?? 0);
  } else if (isWithin(DELIVERING_MS, state.pending.at(-1)?.at ?? 0, now)) return undefined; // another watch is telling it
  // Before it is told: who asks sees what goes on though a receiver is away.
  for (const alert of next.pending) await remember(store, alert);
  return async () => {
    let told = 0;
    for (const alert of next.pending) {
      try {
        await deps.notifier.notify(alert, { webhook: rule.webhook, signal: deps.signal });
      } catch (error) {
        if (!(error instanceof ClickstreamError)) throw error;
        deps.log(`alert ${alert.id} was not delivered: ${error.message}`);
        if (now - alert.at < PATIENCE_MS) break;
      }
      told += 1;
    }
    // Without this the same is delivered again: at least once, with the same id.
    if (told > 0) await put({ ...next, pending: next.pending.slice(told) }, version);
    return told;
  };
}

/** A time that is still to come is that of a clock which ran ahead and was set right: nothing waits for it. */
const isWithin = (ms: number, at: EpochMs, now: EpochMs): boolean => at <= now && now - at < ms;

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
  const query = new URLSearchParams({
    site: rule.site,
    range: rule.minutes <= 30 ? "realtime" : "day",
  });
  const tell = (kind: Alert["state"], found: Finding, since: EpochMs): Alert[] => [
    ...pending,
    alertOf(rule, kind, found, { since, now, url: `${url}/?${query}` }),
  ];
  if (finding) {
    const last = firing?.toldAt ?? state.quietUntil - rule.holdOffMs;
    if (isWithin(rule.holdOffMs, last, now)) return state;
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
    pending: tell("over", NOTHING, firing.since),
  };
}

const NOTHING: Finding = { value: 0, expected: 0 };

const alertOf = (
  rule: AlertRule,
  state: Alert["state"],
  found: Finding,
  { since, now, url }: { readonly since: EpochMs; readonly now: EpochMs; readonly url: string },
): Alert => ({
  id: `${rule.id}-${since}-${state}-${now}`,
  rule: rule.id,
  site: rule.site,
  kind: rule.kind,
  state,
  since,
  at: now,
  value: found.value,
  expected: found.expected,
  text: textOf(rule, state, found, since, now),
  url,
});

/**
 * Removes a rule with what is remembered of it; what it found wrong is over then for whoever asks, and nobody is told.
 * False when there is no such rule.
 */
export async function removeRule(
  { store, clock }: Pick<WatchDeps, "store" | "clock">,
  site: string,
  id: string,
): Promise<boolean> {
  const rule = (await listRules(store, site)).find((known) => known.id === id);
  if (!rule) return false;
  const { firing } = stateOf(await store.get(stateKey(rule)));
  await store.delete([ruleKey(site, id), stateKey(rule)]);
  if (firing)
    await remember(store, alertOf(rule, "over", NOTHING, { since: firing.since, now: clock.now(), url: "" }));
  return true;
}

async function remember(store: Store, alert: Alert): Promise<void> {
  const value = encodeJson(alert);
  const sk = `${instantKey(alert.at)}-${alert.rule}-${alert.state}`;
  await store.put({ pk: historyOf(alert.site), sk, value, expiresAt: alert.at + HISTORY_MS }, 0);
}

/** What was found on a site lately, newest first. */
export async function recentAlerts(
  { store, clock }: Pick<WatchDeps, "store" | "clock">,
  site: string,
): Promise<Alert[]> {
  // What a clock that ran ahead dated later would be the last word on its rule until then.
  const to = instantKey(clock.now() + 1);
  const items = await store.list(historyOf(site), { to, reverse: true, limit: MAX_SHOWN });
  return items.map(({ value }) => decodeJson<Alert>(value));
}
