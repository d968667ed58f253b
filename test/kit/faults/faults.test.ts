/** Faulty stores, streams and clocks, and schedules that repeat. */
import { describe, expect, it } from "vitest";
import { memoryStore } from "../../../processors/stores/memory.ts";
import { memoryStream } from "../../../processors/streams/memory.ts";
import { manualClock } from "../clock.ts";
import { Random } from "../random.ts";
import { randomChoices, replayChoices } from "./choices.ts";
import { jumpingClock, wildClock } from "./clock.ts";
import {
  type Fate,
  failAt,
  failAtRecord,
  firstOf,
  only,
  outage,
  type Plan,
  pass,
  sometimes,
} from "./fate.ts";
import { faultyStore, LateWrites } from "./store.ts";
import { faultyStream, reshard, reshardAt } from "./stream.ts";
import { Turns } from "./turns.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const key = { pk: "p", sk: "s" };
const value = bytes("value");
const always =
  (fate: Fate): Plan =>
  () =>
    fate;
/** What became of a promise; undefined while it waits, all that can happen without time having happened. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  let seen: unknown;
  promise.then(
    (answer) => {
      seen = answer;
    },
    (error) => {
      seen = error.code ?? error;
    },
  );
  await new Promise((done) => setImmediate(done));
  return seen;
}

describe("faultyStore", () => {
  it.each<{ fate: Fate; answer: unknown; written: boolean }>([
    { fate: "pass", answer: true, written: true },
    { fate: "throttle", answer: "throttled", written: false },
    { fate: "fail", answer: "unavailable", written: false },
    { fate: "timeout", answer: "unavailable", written: true },
    { fate: "hold", answer: "unavailable", written: false },
    { fate: "crash", answer: undefined, written: false },
    { fate: "crash-after", answer: undefined, written: true },
  ])("$fate answers $answer to a put; it took effect: $written", async ({ fate, answer, written }) => {
    const store = memoryStore({ clock: manualClock() });
    expect(await outcome(faultyStore(store, always(fate)).put({ ...key, value }, 0))).toBe(answer);
    expect((await store.get(key)) !== undefined).toBe(written);
  });

  it("lets a held write land after another took its place, and it loses", async () => {
    const store = memoryStore({ clock: manualClock() });
    const late = new LateWrites();
    const zombie = faultyStore(store, always("hold"), { late });
    const buffer = bytes("late");
    await expect(zombie.put({ ...key, value: buffer }, 0)).rejects.toMatchObject({ code: "unavailable" });
    buffer.fill(0); // the caller may use it again
    await zombie.put({ pk: "p", sk: "free", value: bytes("late") }, 0).catch(() => {});
    await store.put({ ...key, value: bytes("in time") }, 0);
    expect(late.size).toBe(2);
    expect(await late.land()).toBe("put p s");
    await late.land();
    expect((await store.list("p")).map((item) => new TextDecoder().decode(item.value))).toEqual([
      "late",
      "in time",
    ]);
    expect(await late.land()).toBeUndefined();
  });

  it("answers nothing after a crash, and says once that its client died", async () => {
    const store = memoryStore({ clock: manualClock() });
    let deaths = 0;
    const dead = faultyStore(store, failAt(2, "crash"), { died: () => deaths++ });
    expect(await outcome(dead.get(key))).toBeUndefined();
    expect(deaths).toBe(0);
    for (let i = 0; i < 3; i++) expect(await outcome(dead.put({ ...key, value }, 0))).toBeUndefined();
    expect(deaths).toBe(1);
    expect(await store.get(key)).toBeUndefined();
  });
});

describe("faultyStream", () => {
  const clock = manualClock();
  const put = (
    stream: { put(record: { partitionKey: string; data: Uint8Array }): Promise<unknown> },
    text: string,
    key = "k",
  ) => stream.put({ partitionKey: key, data: bytes(text) });
  const contents = async (stream: ReturnType<typeof memoryStream>): Promise<string[]> => {
    const found: string[] = [];
    for (const { id } of await stream.shards())
      for (const { data } of (await stream.read(id, "", 100)).records)
        found.push(new TextDecoder().decode(data));
    return found;
  };

  it.each<{ fate: Fate; answer: unknown; taken: number }>([
    { fate: "twice", answer: { shard: "shardId-000000000000", sequence: expect.any(String) }, taken: 2 },
    { fate: "timeout", answer: "unavailable", taken: 1 },
    { fate: "throttle", answer: "throttled", taken: 0 },
    { fate: "crash-after", answer: undefined, taken: 1 },
  ])("$fate takes a put $taken times", async ({ fate, answer, taken }) => {
    const stream = memoryStream({ clock });
    expect(await outcome(put(faultyStream(stream, always(fate)), "a"))).toEqual(answer);
    expect(await contents(stream)).toHaveLength(taken);
  });

  it("reads nothing, one or the records before again, and never skips any", async () => {
    const stream = memoryStream({ clock });
    for (const text of ["a", "b", "c"]) await put(stream, text);
    const fates: Fate[] = ["nothing", "one", "pass", "twice"];
    const faulty = faultyStream(stream, ({ number }) => fates[number - 1] ?? "pass");
    let after = "";
    const seen: string[] = [];
    for (const _ of fates) {
      const { records } = await faulty.read("shardId-000000000000", after, 10);
      seen.push(records.map(({ data }) => new TextDecoder().decode(data)).join(""));
      after = records.at(-1)?.sequence ?? after;
    }
    expect(seen).toEqual(["", "a", "bc", "bc"]);
  });

  it("keeps each key's order whatever a plan delays, while keys pass each other", async () => {
    const stream = memoryStream({ clock });
    const gates: (() => void)[] = [];
    const slow: Plan = ({ key }) =>
      key === "slow" ? new Promise((go) => gates.push(() => go("pass"))) : "pass";
    const faulty = faultyStream(stream, slow);
    const puts = [
      put(faulty, "slow 1", "slow"),
      put(faulty, "slow 2", "slow"),
      put(faulty, "quick", "quick"),
    ];
    await outcome(puts[2]!);
    gates.shift()!();
    await outcome(puts[0]!);
    gates.shift()!();
    await Promise.all(puts);
    expect(await contents(stream)).toEqual(["quick", "slow 1", "slow 2"]);
  });

  it("splits and merges while records flow, by the seed, and loses none", async () => {
    const once = async (): Promise<{ shards: unknown; texts: string[] }> => {
      const stream = memoryStream({ clock, shards: 2 });
      const random = new Random(11);
      const faulty = faultyStream(
        stream,
        firstOf(reshardAt(stream, 5, random), reshardAt(stream, 9, random)),
      );
      for (let i = 0; i < 20; i++) await put(faulty, `${i}`, `key ${i}`);
      for (let i = 0; i < 5; i++) await reshard(stream, random);
      return { shards: await stream.shards(), texts: await contents(stream) };
    };
    const first = await once();
    expect(first.texts.sort()).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`).sort());
    expect((await once()).shards).toEqual(first.shards);
    const parents = (first.shards as { parents: string[] }[]).map((shard) => shard.parents.length);
    expect(parents).toEqual(expect.arrayContaining([0, 1, 2]));
  });
});

describe("plans", () => {
  const call = { name: "put", key: "a b", writes: true, records: 0 } as const;
  const fates = async (plan: Plan, calls: number): Promise<Fate[]> => {
    const seen: Fate[] = [];
    for (let number = 1; number <= calls; number++) seen.push(await plan({ ...call, number }));
    return seen;
  };

  it.each<{ name: string; plan: Plan; seen: Fate[] }>([
    { name: "pass", plan: pass, seen: ["pass", "pass", "pass", "pass"] },
    { name: "failAt", plan: failAt(3, "timeout"), seen: ["pass", "pass", "timeout", "pass"] },
    { name: "outage", plan: outage(2, 3), seen: ["pass", "fail", "fail", "pass"] },
    {
      name: "only others",
      plan: only(({ writes }) => !writes, outage(1, 9)),
      seen: ["pass", "pass", "pass", "pass"],
    },
    {
      name: "firstOf",
      plan: firstOf(failAt(2, "hold"), outage(2, 4, "throttle")),
      seen: ["pass", "hold", "throttle", "throttle"],
    },
  ])("$name", async ({ plan, seen }) => {
    expect(await fates(plan, 4)).toEqual(seen);
  });

  it("only counts the calls that it picks", async () => {
    const plan = only(({ number }) => number % 2 === 0, failAt(2));
    expect(await fates(plan, 5)).toEqual(["pass", "pass", "pass", "fail", "pass"]);
  });

  it("sometimes draws each fate with its chance, the same for the same seed", async () => {
    const draw = () => fates(sometimes(new Random(5), { throttle: 0.2, timeout: 0.1 }), 10_000);
    const seen = await draw();
    const share = (fate: Fate) => seen.filter((it) => it === fate).length / seen.length;
    expect(Math.abs(share("throttle") - 0.2)).toBeLessThan(0.02);
    expect(Math.abs(share("timeout") - 0.1)).toBeLessThan(0.02);
    expect(await draw()).toEqual(seen);
  });

  it("failAtRecord gives what comes before the record one by one, fails, and lets it through when retried enough", async () => {
    const stream = memoryStream({ clock: manualClock() });
    for (const text of ["a", "b", "c"]) await stream.put({ partitionKey: "k", data: bytes(text) });
    const faulty = faultyStream(stream, failAtRecord(3, 2));
    let after = "";
    const read = async (): Promise<string> => {
      const { records } = await faulty.read("shardId-000000000000", after, 10);
      after = records.at(-1)?.sequence ?? after;
      return records.map(({ data }) => new TextDecoder().decode(data)).join("");
    };
    const seen: string[] = [];
    for (let i = 0; i < 5; i++) seen.push(await read().catch(({ code }) => code));
    expect(seen).toEqual(["a", "b", "unavailable", "unavailable", "c"]);
  });
});

describe("clocks", () => {
  it("jump against the one behind them, forward and back", () => {
    const true_ = manualClock(1_000);
    const clock = jumpingClock(true_);
    clock.jump(500);
    true_.advance(10);
    expect(clock.now()).toBe(1_510);
    clock.jump(-700);
    expect(clock.now()).toBe(810);
  });

  it("jump by themselves within their bounds, both ways, the same for the same seed", () => {
    const readings = (seed: number): number[] => {
      const clock = wildClock(manualClock(0), new Random(seed), { chance: 0.5, mostMs: 100 });
      return Array.from({ length: 200 }, () => clock.now());
    };
    expect(readings(1)).toEqual(readings(1));
    expect(Math.min(...readings(1))).toBeLessThan(0);
    expect(Math.max(...readings(1).map(Math.abs))).toBeLessThanOrEqual(100);
  });
});

describe("turns", () => {
  /** Two actors that count by reading and writing back: an update is lost when they meet. */
  const race = async (
    choices: ReturnType<typeof replayChoices>,
  ): Promise<{ count: number; trace: string[] }> => {
    const store = memoryStore({ clock: manualClock() });
    const turns = new Turns({ choices, stay: 0.3, calm: 1, fates: () => ["pass"] });
    const add = (actor: string) => async (): Promise<void> => {
      const own = faultyStore(store, turns.plan(actor));
      const item = await own.get(key);
      const count = (item?.value[0] ?? 0) + 1;
      await own.put({ ...key, value: Uint8Array.of(count) }, (await store.get(key))?.version ?? 0);
    };
    for (const actor of ["a", "b"]) await turns.start(actor, add(actor));
    while (choices.next() && (await turns.step()));
    return {
      count: (await store.get(key))?.value[0] ?? 0,
      trace: turns.steps.map(({ actor, call }) => `${actor} ${call.name}`),
    };
  };

  it("let every interleaving happen, and the same one for the same choices", async () => {
    const traces = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const choices = randomChoices(new Random(seed), 4);
      const { count, trace } = await race(choices);
      traces.add(trace.join(", "));
      expect(count).toBe(trace[0]![0] === trace[1]![0] ? 2 : 1);
      expect((await race(replayChoices(choices.taken))).trace).toEqual(trace);
    }
    expect(traces.size).toBe(6);
  });

  it("are a simpler schedule when choices are missing: who went last goes on", async () => {
    expect((await race(replayChoices([[], [], [], [], []]))).trace).toEqual([
      "b get",
      "b put",
      "a get",
      "a put",
    ]);
  });

  it("give what an actor throws to whoever plays, and go on without one that died", async () => {
    const store = memoryStore({ clock: manualClock() });
    const turns = new Turns({
      choices: replayChoices([]),
      stay: 0,
      calm: 0,
      fates: (actor) => (actor === "mortal" ? ["crash"] : ["pass"]),
    });
    const died: string[] = [];
    const bury = (): void => {
      died.push("mortal");
      turns.buried("mortal");
    };
    await turns.start("clumsy", async () => {
      await turns.pause("clumsy", "rest");
      throw new RangeError("stumbled");
    });
    await turns.start("mortal", async () => {
      await faultyStore(store, turns.plan("mortal"), { died: bury }).get(key);
    });
    expect(await turns.step()).toBe(true);
    expect(died).toEqual(["mortal"]);
    await expect(turns.step()).rejects.toThrow("stumbled");
    expect(await turns.step()).toBe(false);
  });
});
