import { describe, expect, it, vi } from "vitest";
import { ClickstreamError } from "../../../../processors/errors.ts";
import type { StreamLine } from "../../../../processors/model/streamfile.ts";
import { HOUR_MS, MINUTE_MS } from "../../../../processors/model/time.ts";
import type { Alert } from "../../../../processors/notifiers/notifier.ts";
import { expectation, median } from "../../../../processors/pipeline/alerts/baseline.ts";
import {
  type AlertRule,
  addRule,
  listRules,
  type RuleRequest,
  ruleOf,
} from "../../../../processors/pipeline/alerts/rules.ts";
import { recentAlerts, removeRule, watch } from "../../../../processors/pipeline/alerts/watch.ts";
import { QueryEngine } from "../../../../processors/pipeline/query/engine.ts";
import { replay } from "../../../kit/replay.ts";

const SITE = "shop.example";
const NOW = Date.UTC(2026, 10, 23, 12, 30);
const WEEK = 7 * 24 * HOUR_MS;

/** Page views at these times, one visitor each. */
const views = (times: readonly number[]): StreamLine[] =>
  times.map((at, i) => ({
    arrival: at,
    envelope: {
      route: "/v1/events",
      id: `r${i}`,
      at,
      ip: `10.0.${i >> 8}.${i & 255}`,
      ua64: Buffer.from("Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0 Safari/537.36").toString("base64"),
      country: "KR",
      trace64: "",
      origin64: "",
      body64: Buffer.from(
        JSON.stringify({ s: SITE, b: `b${i}`, e: [{ n: "pageview", u: `https://${SITE}/` }] }),
      ).toString("base64"),
    },
  }));
/** Evenly in the hour that ends at `end`. */
const hour = (count: number, end: number): number[] =>
  Array.from({ length: count }, (_, i) => end - HOUR_MS + ((i + 0.5) * HOUR_MS) / count).map(Math.floor);
const weeks = (count: number): number[] =>
  [4, 3, 2, 1].flatMap((week) =>
    hour(count, NOW + HOUR_MS / 2 - week * WEEK).concat(hour(count, NOW - HOUR_MS / 2 - week * WEEK)),
  );

async function world(
  times: readonly number[],
  rule: RuleRequest,
  createdAt = 0,
  { timeZone = "UTC", now = NOW, lagMs = 0 } = {},
) {
  const { store, clock } = await replay(views(times.toSorted((a, b) => a - b)), {
    seed: 1,
    sites: [{ id: SITE, timeZone }],
  });
  clock.advanceTo(now);
  const lag = { ms: lagMs };
  const engine = new QueryEngine({ store, clock, lagMs: async () => lag.ms });
  await addRule(store, ruleOf(SITE, "rule1", createdAt, rule));
  const told: Alert[] = [];
  const logged: string[] = [];
  let away = false;
  const notifier = {
    async notify(alert: Alert) {
      if (away) throw new ClickstreamError("unavailable", "nobody there");
      told.push(alert);
      await notifier.meanwhile();
    },
    meanwhile: async (): Promise<unknown> => undefined,
  };
  const look = () =>
    watch({ store, clock, engine, notifier, url: "https://stats.example", log: (line) => logged.push(line) });
  return { store, clock, told, logged, look, lag, notifier, leave: (is: boolean) => (away = is) };
}

describe("what is usual", () => {
  it("is the median of earlier weeks, so one campaign among them shows little", () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(expectation([100, 104, 96, 900])).toMatchObject({ expected: 102, weeks: 4 });
    expect(expectation([100, 104, 96, 900])!.spread).toBeLessThan(15);
  });

  it("is unknown with fewer than three weeks", () => {
    expect(expectation([100, 100])).toBeUndefined();
  });

  it("strays at least as counts do by chance", () => {
    expect(expectation([100, 100, 100])!.spread).toBe(10);
    expect(expectation([0, 0, 0])).toEqual({ expected: 0, spread: 1, weeks: 3 });
  });
});

describe("the watch", () => {
  it("tells a spike against the same hour of the last weeks: what, since when, how far from usual, and where to look", async () => {
    const { told, look, store, clock } = await world([...weeks(100), ...hour(400, NOW)], { kind: "spike" });
    expect(await look()).toEqual({ rules: 1, told: 1 });
    expect(told[0]).toMatchObject({
      rule: "rule1",
      site: SITE,
      kind: "spike",
      state: "firing",
      value: 400,
      expected: 100,
      since: NOW,
    });
    expect(told[0]!.text).toBe(
      "shop.example: 400 page views in the last hour; 100 ± 10 are usual at this hour (median of 4 weeks), 4 times as many. Since 2026-11-23 12:30 UTC.",
    );
    expect(told[0]!.url).toBe("https://stats.example/?site=shop.example&range=day");
    expect(await recentAlerts({ store, clock }, SITE)).toEqual(told);
  });

  it("takes an ordinary hour, and a busy one that is always busy, for what they are", async () => {
    for (const [usual, now] of [
      [100, 115],
      [400, 400],
    ] as const) {
      const { told, look } = await world([...weeks(usual), ...hour(now, NOW)], { kind: "spike" });
      await look();
      expect(told).toEqual([]);
    }
  });

  it("tells a drop, and says nothing of what is usual before it knows three weeks", async () => {
    const drop = await world([...weeks(100), ...hour(10, NOW)], { kind: "drop" });
    await drop.look();
    expect(drop.told[0]!.text).toContain("only 10 page views in the last hour; 100 ± 10 are usual");
    const young = await world([...hour(100, NOW - WEEK), ...hour(10, NOW)], { kind: "drop" });
    await young.look();
    expect(young.told).toEqual([]);
  });

  it("knows what is usual where hours begin on the half hour", async () => {
    const { told, logged, look } = await world([...weeks(40), ...hour(160, NOW)], { kind: "spike" }, 0, {
      timeZone: "Asia/Kolkata",
    });
    await look();
    expect(logged).toEqual([]);
    expect(told[0]).toMatchObject({ value: 160, expected: 40 });
  });

  it("compares with the same time of day after clocks have changed", async () => {
    // Half past nine in Berlin, the day after summer time ended: until then that was an hour earlier.
    const now = Date.UTC(2026, 9, 26, 8, 30);
    const earlier = [1, 2, 3].flatMap((week) => {
      const end = now - week * WEEK - HOUR_MS / 2;
      return [hour(60, end - HOUR_MS), hour(60, end), hour(240, end + HOUR_MS)].flat();
    });
    const { told, look } = await world([...earlier, ...hour(60, now)], { kind: "drop" }, 0, {
      timeZone: "Europe/Berlin",
      now,
    });
    await look();
    expect(told).toEqual([]);
  });

  it("tells once, again after the hold-off, and the end", async () => {
    const { told, look, clock } = await world(hour(60, NOW), {
      kind: "above",
      limit: 3,
      minutes: 5,
      holdOffMinutes: 2,
    });
    await look();
    await look();
    clock.advance(MINUTE_MS);
    await look();
    expect(told.map(({ state }) => state)).toEqual(["firing"]);
    clock.advance(10 * MINUTE_MS);
    await look();
    expect(told.map(({ state }) => state)).toEqual(["firing", "over"]);
    expect(told[1]!.text).toBe(
      "shop.example: over after 11 min: many page views since 2026-11-23 12:30 UTC.",
    );
  });

  it("tells that it goes on after each hold-off, since when it began", async () => {
    const { told, look, clock } = await world([NOW - 3 * HOUR_MS], {
      kind: "silence",
      minutes: 60,
      holdOffMinutes: 60,
    });
    await look();
    clock.advance(61 * MINUTE_MS);
    await look();
    expect(told).toHaveLength(2);
    expect(told[1]!.since).toBe(told[0]!.since);
    expect(told[0]!.id).not.toBe(told[1]!.id);
  });

  it("is over when its rule is removed, without a word, and nothing is remembered of the rule", async () => {
    const { told, look, store, clock } = await world(hour(60, NOW), { kind: "above", limit: 3, minutes: 5 });
    await look();
    clock.advance(MINUTE_MS);
    expect(await removeRule({ store, clock }, SITE, "rule1")).toBe(true);
    await look();
    expect(told.map(({ state }) => state)).toEqual(["firing"]);
    expect((await recentAlerts({ store, clock }, SITE)).map(({ state }) => state)).toEqual([
      "over",
      "firing",
    ]);
    expect(await store.list("alert-state")).toEqual([]);
    expect(await removeRule({ store, clock }, SITE, "rule1")).toBe(false);
  });

  it("says nothing of a silence that is older than its rule", async () => {
    const { told, look, clock } = await world(
      [NOW - 3 * HOUR_MS],
      { kind: "silence", minutes: 60 },
      NOW - MINUTE_MS,
    );
    await look();
    expect(told).toEqual([]);
    clock.advance(HOUR_MS);
    await look();
    expect(told).toHaveLength(1);
  });

  it("keeps an alert that nobody took, and tells it later under the same id", async () => {
    const { told, logged, look, clock, leave } = await world([NOW - 3 * HOUR_MS], {
      kind: "silence",
      minutes: 60,
    });
    leave(true);
    await look();
    expect(logged[0]).toContain("was not delivered: nobody there");
    leave(false);
    clock.advance(MINUTE_MS);
    await look();
    expect(told).toHaveLength(1);
    expect(logged[0]).toContain(told[0]!.id);
  });

  it("shows whoever asks what goes on while nobody takes it", async () => {
    const { look, clock, leave, store } = await world([NOW - 3 * HOUR_MS], { kind: "silence", minutes: 60 });
    leave(true);
    await look();
    clock.advance(MINUTE_MS);
    await look();
    expect(await recentAlerts({ store, clock }, SITE)).toMatchObject([{ state: "firing", at: NOW }]);
  });

  it("tells as ever after a clock that ran ahead was set right", async () => {
    const { look, clock, told, leave, store } = await world([NOW - 3 * HOUR_MS], {
      kind: "silence",
      minutes: 60,
      holdOffMinutes: 60,
    });
    clock.advance(5 * 24 * HOUR_MS);
    await look();
    clock.advance(-5 * 24 * HOUR_MS);
    leave(true);
    await look();
    leave(false);
    clock.advance(MINUTE_MS);
    await look();
    expect(told.map(({ at }) => at)).toEqual([NOW + 5 * 24 * HOUR_MS, NOW]);
    clock.advance(59 * MINUTE_MS);
    await look();
    expect(told).toHaveLength(3);
    expect((await recentAlerts({ store, clock }, SITE)).map(({ at }) => at)).toEqual([NOW + HOUR_MS, NOW]);
  });

  it("does not say that much is over while clicks wait to be counted", async () => {
    const { told, look, lag, clock } = await world(hour(60, NOW), { kind: "above", limit: 3, minutes: 5 });
    await look();
    clock.advance(10 * MINUTE_MS);
    lag.ms = 8 * MINUTE_MS;
    await look();
    expect(told.map(({ state }) => state)).toEqual(["firing"]);
    lag.ms = 0;
    await look();
    expect(told.map(({ state }) => state)).toEqual(["firing", "over"]);
  });

  it("tells nothing twice when two watches run at once", async () => {
    const { told, look } = await world([NOW - 3 * HOUR_MS], { kind: "silence", minutes: 60 });
    await Promise.all([look(), look(), look()]);
    expect(told).toHaveLength(1);
  });

  it("tells nothing twice after so long a calm that what it remembered has expired", async () => {
    const { clock, told, look } = await world([NOW - 60 * MINUTE_MS], {
      kind: "silence",
      holdOffMinutes: 60,
    });
    await look();
    clock.advance(5 * WEEK);
    for (let minute = 0; minute < 3; minute++) {
      await look();
      clock.advance(MINUTE_MS);
    }
    expect(told.map(({ state, at }) => [state, at])).toEqual([
      ["firing", NOW],
      ["firing", NOW + 5 * WEEK],
    ]);
  });

  it("leaves an alert to the watch that is telling it", async () => {
    const { told, look, notifier } = await world([NOW - 3 * HOUR_MS], { kind: "silence", minutes: 60 });
    notifier.meanwhile = () => {
      notifier.meanwhile = async () => undefined;
      return look();
    };
    await look();
    expect(told).toHaveLength(1);
  });

  it("says neither that there is silence nor that it is over while clicks wait to be counted", async () => {
    const { told, look, lag, clock } = await world(
      [NOW - 3 * HOUR_MS],
      { kind: "silence", minutes: 60, holdOffMinutes: 1 },
      0,
      { lagMs: 5 * MINUTE_MS },
    );
    await look();
    expect(told).toEqual([]);
    lag.ms = 0;
    await look();
    lag.ms = 5 * MINUTE_MS;
    clock.advance(2 * MINUTE_MS);
    await look();
    expect(told.map(({ state }) => state)).toEqual(["firing"]);
  });

  it("looks at every rule though a receiver does not answer", async () => {
    const { told, look, store, notifier } = await world([NOW - 3 * HOUR_MS], {
      kind: "silence",
      minutes: 60,
    });
    await addRule(store, ruleOf(SITE, "rule2", 0, { kind: "silence", minutes: 1 }));
    const answers: (() => void)[] = [];
    notifier.meanwhile = () => new Promise<void>((done) => answers.push(done));
    const looking = look();
    await vi.waitFor(() => expect(told.map(({ rule }) => rule)).toEqual(["rule1", "rule2"]));
    expect(told[1]!.text).toContain("no event for a minute or longer");
    for (const answer of answers) answer();
    expect(await looking).toEqual({ rules: 2, told: 2 });
  });

  it("looks at every rule though one met a bug, and then throws it", async () => {
    const { told, look, store, notifier } = await world([NOW - 3 * HOUR_MS], {
      kind: "silence",
      minutes: 60,
    });
    await addRule(store, ruleOf(SITE, "rule2", 0, { kind: "silence", minutes: 90 }));
    notifier.meanwhile = async () => {
      throw new TypeError("a bug");
    };
    await expect(look()).rejects.toThrow("a bug");
    expect(told.map(({ rule }) => rule)).toEqual(["rule1", "rule2"]);
  });
});

describe("a rule", () => {
  it.each<[field: string, rule: RuleRequest]>([
    ["kind", { kind: "earthquake" }],
    ["metric", { kind: "spike", metric: "visitors" }],
    ["limit", { kind: "above" }],
    ["limit", { kind: "lag", limit: -1 }],
    ["limit", { kind: "rejects", limit: 100 }],
    ["limit", { kind: "below", limit: 0 }],
    ["limit", { kind: "drop", limit: 20 }],
    ["minutes", { kind: "silence", minutes: 0 }],
    ["minutes", { kind: "spike", minutes: 10 }],
    ["metric", { kind: "silence", metric: "visits" }],
    ["limit", { kind: "silence", limit: 5 }],
    ["hold-off", { kind: "silence", holdOffMinutes: 0.5 }],
    ["webhook", { kind: "silence", webhook: "ftp://example.com" }],
    ["webhook", { kind: "silence", webhook: "https://example.com:99999/" }],
    ["webhook", { kind: "silence", webhook: "https://user:secret@example.com/" }],
  ])("that cannot be is refused, and its %s is named", (field, rule) => {
    expect(() => ruleOf(SITE, "x", 0, rule)).toThrow(new RegExp(`^${field}: `));
  });

  it("is kept for its site alone", async () => {
    const { store } = await world([], { kind: "lag" });
    expect((await listRules(store, SITE)).map(({ id }: AlertRule) => id)).toEqual(["rule1"]);
    expect(await listRules(store, "shop.examples")).toEqual([]);
  });
});
