/** Made-up traffic: the same for a seed, in order, and all of it readable. */
import { describe, expect, it } from "vitest";
import type { WireBatch } from "../../processors/model/event.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../processors/model/time.ts";
import { decodeBatches } from "../../processors/pipeline/decode/decode.ts";
import { agentParser } from "../../processors/pipeline/enrich/agent.ts";
import { BROWSERS } from "./agents.ts";
import { generate, type StreamLine } from "./generate.ts";

const from = Date.UTC(2025, 10, 1);
const options = { seed: 42, from, to: from + DAY_MS, events: 6_000 };
const lines = [...generate(options)];

const bodyOf = ({ envelope }: StreamLine): WireBatch =>
  JSON.parse(Buffer.from(envelope.body64, "base64").toString()) as WireBatch;
const batchesOf = (line: StreamLine) => {
  const batches = decodeBatches(line.envelope);
  if ("reason" in batches) throw new Error(batches.message);
  return batches;
};

describe("generate", () => {
  it("gives the same bytes for the same options, and others for another seed", () => {
    const text = (all: Iterable<StreamLine>): string =>
      [...all].map((line) => JSON.stringify(line)).join("\n");
    expect(text(generate(options))).toBe(text(lines));
    expect(text(generate({ ...options, seed: 43 }))).not.toBe(text(lines));
  });

  it("leaves reports to the next page where browsers do, so that a visit of n pages makes n + 1 requests", () => {
    const plain = {
      seed: 4,
      from,
      to: from + DAY_MS,
      events: 3_000,
      late: 0,
      duplicates: 0,
      bots: 0,
      skewed: 0,
    };
    const counted = (all: readonly StreamLine[]) => {
      const events = all.flatMap(batchesOf).flatMap(({ events: some }) => some);
      const of = (name: string) => events.filter((event) => event.name === name).length;
      return { requests: all.length, views: of("pageview"), reports: of("engagement") };
    };
    const [sent, left] = [counted([...generate(plain)]), counted([...generate({ ...plain, handsOver: 1 })])];
    expect(sent.requests).toBeGreaterThan(1.9 * sent.views);
    // Two pages a visit on average; goals go by themselves.
    expect(left.requests / left.views).toBeGreaterThan(1.45);
    expect(left.requests / left.views).toBeLessThan(1.65);
    expect(left.reports / left.views).toBeCloseTo(sent.reports / sent.views, 1);
  });

  it("gives lines in order of arrival, each received before it arrives", () => {
    let last = from;
    for (const { arrival, envelope } of lines) {
      expect(arrival).toBeGreaterThanOrEqual(last);
      expect(arrival).toBeGreaterThan(envelope.at);
      last = arrival;
    }
  });

  it("makes about as many events as asked for", () => {
    const first = new Map(lines.map((line) => [bodyOf(line).b, line]));
    const events = [...first.values()].reduce((sum, line) => sum + bodyOf(line).e.length, 0);
    expect(Math.abs(events - options.events)).toBeLessThan(options.events * 0.1);
  });

  it("makes nothing that the decoder refuses, within the time asked for", () => {
    for (const line of lines) {
      for (const { events, rejects } of batchesOf(line)) {
        expect(rejects).toEqual([]);
        for (const { at } of events) {
          // A wrong clock is corrected but for the time under way.
          expect(at).toBeGreaterThanOrEqual(from);
          expect(at).toBeLessThan(options.to + 1_000);
        }
      }
    }
  });

  it("repeats some batches with their id and nothing but the clock changed", () => {
    const seen = new Map<string, WireBatch>();
    let repeats = 0;
    for (const line of lines) {
      const batch = bodyOf(line);
      const before = seen.get(batch.b!);
      if (before !== undefined) {
        repeats++;
        expect({ ...batch, t: before.t }).toEqual(before);
      }
      seen.set(batch.b!, batch);
    }
    expect(repeats / lines.length).toBeGreaterThan(0.01);
    expect(repeats / lines.length).toBeLessThan(0.03);
    expect(new Set(lines.map(({ envelope }) => envelope.id)).size).toBe(lines.length);
  });

  it("keeps some batches offline for minutes, and sets some clocks wrong", () => {
    const late = lines.filter((line) => line.envelope.at - batchesOf(line)[0]!.events[0]!.at > 5 * MINUTE_MS);
    expect(late.length).toBeGreaterThan(lines.length * 0.01);
    const wrong = lines.filter((line) => Math.abs(bodyOf(line).t! - line.envelope.at) > MINUTE_MS);
    expect(wrong.length).toBeGreaterThan(lines.length * 0.01);
    const plain = [...generate({ ...options, late: 0, duplicates: 0, skewed: 0, bots: 0 })];
    expect(plain.every((line) => Math.abs(bodyOf(line).t! - line.envelope.at) < 2_000)).toBe(true);
    expect(new Set(plain.map((line) => bodyOf(line).b)).size).toBe(plain.length);
  });

  it("sends a few robots, whom the parser knows, and none when asked for none", () => {
    const agent = agentParser({ maxEntries: 1_000 });
    const share = (all: readonly StreamLine[]): number =>
      all.filter(({ envelope }) => agent(atob(envelope.ua64)).bot).length / all.length;
    expect(share(lines)).toBeGreaterThan(0.01);
    expect(share(lines)).toBeLessThan(0.08);
    expect(share([...generate({ ...options, bots: 0 })])).toBe(0);
  });

  it("has everybody pay in one currency when asked to, and changes nothing else", () => {
    const eventsOf = (all: readonly StreamLine[]) => all.flatMap((line) => bodyOf(line).e!);
    const paidIn = (all: ReturnType<typeof eventsOf>) =>
      new Set(all.flatMap(({ $ }) => ($ ? [$.currency] : [])));
    const [own, one] = [eventsOf(lines), eventsOf([...generate({ ...options, payIn: "US" })])];
    expect(paidIn(own).size).toBeGreaterThan(3);
    expect([...paidIn(one)]).toEqual(["USD"]);
    expect(one.map(({ n, t, u }) => [n, t, u])).toEqual(own.map(({ n, t, u }) => [n, t, u]));
  });

  it("draws pages by Zipf's law: the first is far ahead, and most are seen", () => {
    const views = new Map<string, number>();
    for (const line of lines) {
      for (const { url } of batchesOf(line)[0]!.events) views.set(url.path, (views.get(url.path) ?? 0) + 1);
    }
    const counts = [...views.values()].sort((a, b) => b - a);
    expect(counts[0]! / counts[20]!).toBeGreaterThan(8);
    expect(views.size).toBeGreaterThan(150);
  });

  it("follows the day: the evening is busier than four in the morning", () => {
    const inHour = (hour: number): number =>
      lines.filter(({ arrival }) => Math.floor((arrival - from) / HOUR_MS) === hour).length;
    expect(inHour(21)).toBeGreaterThan(3 * inHour(4));
  });

  it("spreads visitors over sites, the first being the busiest", () => {
    const sites = new Map<string, number>();
    for (const line of generate({ ...options, sites: ["a.example", "b.example"] })) {
      const { s, c } = bodyOf(line);
      expect(new URL(c!.u!).hostname).toBe(s);
      sites.set(s, (sites.get(s) ?? 0) + 1);
    }
    expect(sites.get("a.example")!).toBeGreaterThan(sites.get("b.example")!);
  });

  it("has no more visitors than asked for, and lets them come back", () => {
    const people = new Set(
      [...generate({ ...options, visitors: 50, bots: 0 })].map(({ envelope }) => envelope.ip + envelope.ua64),
    );
    expect(people.size).toBeGreaterThan(40);
    expect(people.size).toBeLessThanOrEqual(50);
  });

  it("knows over 400 distinct browsers", () => {
    expect(new Set(BROWSERS.map(({ text }) => text)).size).toBe(BROWSERS.length);
    expect(BROWSERS.length).toBeGreaterThan(400);
  });

  it("refuses a time span without length", () => {
    expect(() => [...generate({ ...options, to: from })]).toThrow(/^to must be after from/);
  });
});
