/** Imports are exact: against a counter of their own, whatever is imported twice, has grown, or was broken off anywhere. */
import { isbot } from "isbot";
import { describe, expect, it } from "vitest";
import { keyedHash } from "../../../../processors/crypto.ts";
import { DAY_MS } from "../../../../processors/model/time.ts";
import { ShardWorker } from "../../../../processors/pipeline/aggregate.ts";
import { listShards, readCommits } from "../../../../processors/pipeline/commit.ts";
import { compact } from "../../../../processors/pipeline/compact.ts";
import { CHUNK_BYTES, chunksOf } from "../../../../processors/pipeline/import/chunks.ts";
import { importFile } from "../../../../processors/pipeline/import/importer.ts";
import { textSource } from "../../../../processors/pipeline/import/textsource.ts";
import { QueryEngine } from "../../../../processors/pipeline/query/engine.ts";
import { decodeItem, partition } from "../../../../processors/pipeline/rollups.ts";
import { keepSite, registerSites } from "../../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../../processors/stores/memory.ts";
import { memoryStream } from "../../../../processors/streams/memory.ts";
import { manualClock } from "../../../kit/clock.ts";
import { Random } from "../../../kit/random.ts";
import { bytesOf, randomLog, sha256 } from "./kit.ts";

const SITE = "example.com";
const NOW = Date.UTC(2026, 2, 20);
const SEED = Number(process.env.RIVULET_SEED ?? 7);

/** A stream and a store that count what is imported. `failAt` breaks the run off at that call of put or of the store's put. */
async function bench(now = NOW) {
  const clock = manualClock(now);
  const store = memoryStore({ clock });
  const stream = memoryStream({ clock, shards: 2 });
  await registerSites(store, clock, [{ id: SITE, timeZone: "UTC" }]);
  let calls = 0;
  let salts = 0;
  let failAt = Number.POSITIVE_INFINITY;
  const step = (): void => {
    if (++calls === failAt) throw new Error("killed");
  };
  const report: string[] = [];
  const run = async (
    text: string,
    { all = false, killAt = Number.POSITIVE_INFINITY, chunkBytes = CHUNK_BYTES, name = "access.log" } = {},
  ) => {
    calls = 0;
    failAt = killAt;
    const source = await textSource({
      name,
      open: bytesOf(text),
      newDigest: sha256,
      format: "auto",
      all,
      hostname: SITE,
    });
    return importFile(
      {
        store: {
          ...store,
          put: async (item, expected) => {
            step();
            const done = await store.put(item, expected);
            step();
            return done;
          },
        },
        clock: { now: () => clock.now() + calls * 700 },
        put: async (records) => {
          for (const record of records) {
            step();
            await stream.put(record);
          }
        },
        report: {
          begin: async (length) => void report.splice(length),
          add: (line, reason) => report.push(`${line}: ${reason}`),
          flush: async () => report.length,
        },
      },
      source,
      { site: SITE, lanes: 3, chunkBytes },
    );
  };
  const count = async (): Promise<void> => {
    const deps = {
      store,
      clock,
      hash: keyedHash,
      randomBytes: (n: number) => new Uint8Array(n).fill(++salts),
      country: () => "",
    };
    for (const shard of await stream.shards()) {
      const worker = new ShardWorker(deps, shard);
      for (;;) {
        const { records } = await stream.read(shard.id, await worker.lastSequence(), 5);
        if (records.length === 0) break;
        await worker.process(records);
      }
    }
    await compact({ store, clock });
  };
  const query = async (metrics: string[], dimensions: string[] = []): Promise<Record<string, number[]>> => {
    const engine = new QueryEngine({ store, clock, lagMs: async () => 0 });
    const answer = await engine.query({
      site_id: SITE,
      metrics,
      dimensions,
      date_range: ["2026-03-01", "2026-03-19"],
    });
    return Object.fromEntries(answer.results.map((row) => [row.dimensions.join(), row.metrics as number[]]));
  };
  return { run, count, query, report, clock, store };
}

const LINE = /^(\S+) - - \[(\d\d\/\w+\/\d+)[^\]]*\] "(\S+) (\S+) [^"]*" (\d+) \d+ "([^"]*)" "(.*)"$/;

/** As plain as can be: one pattern, sets and maps. */
function plainly(text: string, all = false) {
  const pages: Record<string, number> = {};
  const statuses: Record<string, number> = {};
  const visitors = new Map<string, Set<string>>();
  let [views, bots, bad] = [0, 0, 0];
  for (const line of text.trimEnd().split("\n")) {
    const [, ip, day = "", method, target = "", status = "", , rawAgent = ""] = LINE.exec(line) ?? [];
    if (ip === undefined) {
      bad++;
      continue;
    }
    const path = target.split("?")[0]!;
    if (!all && (method !== "GET" || !/^(2..|304)$/.test(status) || /\.(css|js|png|ico)$/i.test(path)))
      continue;
    const agent = rawAgent.replaceAll('\\"', '"');
    if (isbot(agent)) {
      bots++;
      continue;
    }
    views++;
    pages[path] = (pages[path] ?? 0) + 1;
    statuses[status] = (statuses[status] ?? 0) + 1;
    visitors.set(day, (visitors.get(day) ?? new Set()).add(`${ip}|${agent}`));
  }
  return {
    pages,
    statuses,
    views,
    bots,
    bad,
    visitors: [...visitors.values()].reduce((sum, set) => sum + set.size, 0),
  };
}

const first = (rows: Record<string, number[]>): Record<string, number> =>
  Object.fromEntries(Object.entries(rows).map(([key, [value]]) => [key, value!]));

describe(`an access log (RIVULET_SEED=${SEED})`, () => {
  it.each([{ all: false }, { all: true }])("counts as a plain counter does, all: $all", async ({ all }) => {
    const text = randomLog(new Random(SEED), 3_000);
    const expected = plainly(text, all);
    const { run, count, query, report } = await bench();
    const { entry } = await run(text, { all });
    await count();
    expect(entry.counts).toMatchObject({
      events: expected.views + expected.bots,
      bots: expected.bots,
      bad: expected.bad,
    });
    expect(report).toHaveLength(expected.bad);
    expect(first(await query(["pageviews"], ["event:page"]))).toEqual(expected.pages);
    expect(first(await query(["pageviews"], ["event:props:status"]))).toEqual(expected.statuses);
    const total = (await query(["pageviews", "visitors"]))[""];
    expect(total?.[0]).toBe(expected.views);
    // A visit over midnight keeps its visitor, who else would count on both days.
    expect(Math.abs(total![1]! - expected.visitors)).toBeLessThanOrEqual(expected.visitors * 0.02);
  });

  // RIVULET_LOG=FILE; reallog.ts says where to get one.
  it.runIf(process.env.RIVULET_LOG)("that is real has the numbers of a counter of its own", async () => {
    const { compareWithRealLog } = await import("./reallog.ts");
    await compareWithRealLog(process.env.RIVULET_LOG!);
  });

  it("changes nothing when it is imported again, weeks later too", async () => {
    const text = randomLog(new Random(SEED), 500);
    const { run, count, query, clock } = await bench();
    await run(text);
    await count();
    const before = await query(["events", "visits"], ["event:page"]);
    clock.advance(40 * DAY_MS);
    const again = await run(text);
    await count();
    expect(again).toMatchObject({ events: 0, isFinished: true });
    expect(await query(["events", "visits"], ["event:page"])).toEqual(before);
  });

  it("gives the same hours, byte for byte, while its minutes are kept and long after, when it counts in quarters", async () => {
    const text = randomLog(new Random(SEED), 2_000);
    const hoursAt = async (now: number): Promise<{ hours: [string, string][]; windows: number }> => {
      const { run, count, store } = await bench(now);
      await run(text);
      await count();
      const items = await store.list(partition("hour", SITE));
      let windows = 0;
      for (const { id } of await listShards(store))
        for (const { partials } of await readCommits(store, id, 0))
          windows += partials.get(SITE)!.windows.size;
      const hours = items.map((item): [string, string] => [
        item.sk,
        Buffer.from(decodeItem(item).rollup!.encode()).toString("hex"),
      ]);
      return { hours, windows };
    };
    const recent = await hoursAt(Date.UTC(2026, 2, 13));
    const old = await hoursAt(Date.UTC(2026, 5, 1));
    expect(old.hours).toEqual(recent.hours);
    expect(old.windows).toBeLessThan(recent.windows / 2);
  });

  it("says how many events are older than what its site keeps, and from when on it does", async () => {
    const { run, count, query, store, clock } = await bench();
    await keepSite(store, clock, SITE, { hours: 30 });
    const line = (day: string, agent: string) =>
      `192.0.2.1 - - [${day}:10:00:00 +0000] "GET /a HTTP/1.1" 200 1 "-" "${agent}"\n`;
    const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36";
    const text =
      line("17/Feb/2026", chrome) +
      line("17/Feb/2026", "Googlebot/2.1") +
      line("18/Feb/2026", chrome) +
      line("02/Mar/2026", chrome);
    const { entry, keptSince } = await run(text);
    expect([entry.counts, keptSince]).toEqual([
      expect.objectContaining({ events: 4, bots: 1, unkept: 1 }),
      "2026-02-18",
    ]);
    await count();
    expect(await query(["pageviews"])).toEqual({ "": [1] });
    expect((await run(text)).entry.counts.unkept, "and says so again").toBe(1);
  });

  it("counts in minutes for as long as its site keeps them", async () => {
    const { run, count, store, clock } = await bench(Date.UTC(2026, 0, 1));
    await keepSite(store, clock, SITE, { minutes: 90 });
    clock.advance(80 * DAY_MS);
    const text = randomLog(new Random(SEED), 300, Date.UTC(2026, 0, 3));
    await run(text);
    await count();
    const engine = new QueryEngine({ store, clock, lagMs: async () => 0 });
    const { results } = await engine.query({
      site_id: SITE,
      metrics: ["pageviews"],
      dimensions: ["time:minute"],
      date_range: ["2026-01-03T10:00:00Z", "2026-01-03T12:00:00Z"],
    });
    const minutes = new Map<string, string[]>();
    for (const line of text.split("\n")) {
      const [, minute] = /03\/Jan\/2026:(1[01]:\d\d)/.exec(line) ?? [];
      if (minute) minutes.set(minute, [...(minutes.get(minute) ?? []), line]);
    }
    const expected = [...minutes].map(([minute, lines]) => [
      `2026-01-03 ${minute}:00`,
      plainly(lines.join("\n")).views,
    ]);
    expect(results.map((row) => [row.dimensions[0], row.metrics[0]])).toEqual(
      expected.filter(([, views]) => views),
    );
  });

  it("gives all lines but those that no record can hold, or whose events nobody could count", async () => {
    const batch = (event: object, context: object = {}): string =>
      JSON.stringify({
        s: SITE,
        t: NOW - DAY_MS,
        c: context,
        e: [{ n: "pageview", u: "https://example.com/a", ...event }],
      });
    const long = "x".repeat(61_000);
    const deep = `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`;
    const lines = [
      batch({}),
      batch({ r: `https://example.org/?${long.repeat(15)}` }),
      batch({ r: ["https://example.org/"] }),
      batch({ p: { [long]: null } }),
      batch({ $: { amount: `0.${"0".repeat(61_000)}`, currency: "EUR" } }),
      batch({}, { l: long }),
      batch({ n: "vitals" }),
      `{"s":"${SITE}","e":[{"n":"a","t":1714557600000,"u":"https://example.com/","p":${deep}}]}`,
      `{"timestamp":"2026-03-10T10:00:00Z","url":"/b","body":${deep}}`,
      batch({}),
    ];
    const { run, count, query, report } = await bench();
    const { entry } = await run(lines.join("\n"));
    expect(entry.counts.events).toBe(3);
    expect(report).toEqual([
      "2: too_large: row: over 60000 characters",
      "3: malformed: referrer: not a string",
      ...[4, 5, 6].map((line) => `${line}: too_large: row: over 60000 characters`),
      "7: invalid_name: name: vitals without measurements is no event",
      "8: too_large: row: over 60000 characters",
    ]);
    await count();
    expect((await query(["pageviews"]))[""]).toEqual([3]);
  });

  it("adds only what is new when it has grown, and numbers its lines, also where it ended without a line break", async () => {
    const text = randomLog(new Random(SEED), 900);
    const lines = text.trimEnd().split("\n");
    const { run, count, query, report } = await bench();
    for (const length of [200, 201, 600, lines.length]) {
      const { entry } = await run(lines.slice(0, length).join("\n"));
      expect(entry.lines).toBe(length);
    }
    await count();
    const bad = lines.flatMap((line, i) => (line === "this is no line of a log" ? [i + 1] : []));
    expect(report.map((one) => Number.parseInt(one, 10))).toEqual(bad);
    expect((await query(["pageviews"]))[""]?.[0]).toBe(plainly(text).views);
  });

  it("reports what is new of it alone when it has grown under another name", async () => {
    const [line] = randomLog(new Random(SEED), 1).split("\n");
    const { run, report } = await bench();
    await run(`${line}\nno line\n`);
    report.push("what another file of the name had");
    const { knownAs } = await run(`${line}\nno line\nnone either\n`, { name: "access.log.1" });
    expect(knownAs).toBe("access.log");
    expect(report).toEqual([expect.stringMatching("3: ")]);
    expect(await run(`${line}\nno line\nnone either\nno\n`, { name: "access.log.1" })).toMatchObject({
      entry: { counts: { bad: 3 } },
      knownAs: undefined,
    });
    expect(report).toEqual([expect.stringMatching("3: "), expect.stringMatching("4: ")]);
  });

  it("is refused when it holds no more than the beginning of one that was imported", async () => {
    const lines = randomLog(new Random(SEED), 3).split("\n");
    const { run } = await bench();
    await run(`${lines[0]}\n`);
    await run(lines.join("\n"));
    await expect(run(`${lines[0]}\n`)).rejects.toMatchObject({ code: "config" });
  });

  it("is exact however often and wherever it is broken off, and so is its report, and goes on in chunks as it began", async () => {
    const text = randomLog(new Random(SEED), 60);
    const expected = plainly(text);
    for (let killAt = 1; ; killAt++) {
      const { run, count, query, report } = await bench();
      const killed = await run(text, { killAt, chunkBytes: 4_000 }).then(
        () => false,
        () => true,
      );
      await run(text, { chunkBytes: 1_500 });
      await run(text);
      await count();
      expect((await query(["pageviews"]))[""]?.[0], `killed at ${killAt}`).toBe(expected.views);
      expect(report, `killed at ${killAt}`).toHaveLength(expected.bad);
      if (!killed) break;
    }
  });

  it("is refused with other options than it was imported with: it would be counted twice", async () => {
    const text = randomLog(new Random(SEED), 50);
    const { run } = await bench();
    await run(text);
    await expect(run(text, { all: true })).rejects.toThrow(/other options/);
  });

  it("is no other file's continuation, though both begin alike", async () => {
    const head = "time,url\n";
    const { run, count, query } = await bench();
    for (const page of ["a", "b", "c"])
      await run(`${head}2026-03-10T10:00:00Z,https://example.com/${page}\n`);
    await count();
    expect(first(await query(["pageviews"], ["event:page"]))).toEqual({ "/a": 1, "/b": 1, "/c": 1 });
  });
});

describe("chunks", () => {
  const read = async (text: string, portion: number, settings: Parameters<typeof chunksOf>[2]) => {
    const chunks = [];
    for await (const { bytes, end, digest } of chunksOf(bytesOf(text, portion)(), sha256(), settings))
      chunks.push({ text: new TextDecoder().decode(bytes), end, digest });
    return chunks;
  };

  it.each([false, true])(
    "of a line without end cost what its length does (cells in quotes: %s)",
    async (quoted) => {
      const before = process.cpuUsage();
      const chunks = await read("x".repeat(8 << 20), 2_048, { quoted, from: 0 });
      const { user, system } = process.cpuUsage(before);
      expect(chunks.map(({ text }) => text.length)).toEqual([8 << 20]);
      expect((user + system) / 1_000).toBeLessThan(2_000);
    },
  );

  it("are the same in whatever portions the bytes come, and from wherever a chunk ended", async () => {
    const random = new Random(SEED);
    for (let round = 0; round < 60; round++) {
      const text = Array.from({ length: random.below(60) + 1 }, () => "x".repeat(random.below(40))).join(
        "\n",
      );
      const settings = { quoted: false, from: 0, chunkBytes: random.between(20, 120) };
      const whole = await read(text, 10_000, settings);
      expect(whole.map((chunk) => chunk.text).join("")).toBe(text);
      expect(await read(text, random.between(1, 50), settings)).toEqual(whole);
      const after = whole[random.below(Math.max(1, whole.length))];
      if (after)
        expect(await read(text, 7, { ...settings, from: after.end })).toEqual(
          whole.filter(({ end }) => end > after.end),
        );
    }
  });

  it("do not end within quotes", async () => {
    const text = 'a,"1\n2\n3"\nb,"4\n""5"\nc,6\n';
    const chunks = await read(text, 3, { quoted: true, from: 0, chunkBytes: 6 });
    expect(chunks.map((chunk) => chunk.text)).toEqual(['a,"1\n2\n3"\n', 'b,"4\n""5"\n', "c,6\n"]);
  });

  it("end where a line ends after a quote that nothing closes, too", async () => {
    const text = `a,1\nb,15" wide\n${`c,${"x".repeat(996)}\n`.repeat(9_000)}`;
    const chunks = await read(text, 1 << 22, { quoted: true, from: 0, chunkBytes: 1 << 20 });
    expect(chunks.map((chunk) => chunk.text.at(-1))).toEqual(["\n", "\n", "\n"]);
  });
});

it("goes on in joined files by the head that the lines before the break were read by", async () => {
  const heads = [
    "date time c-ip cs-method cs-uri-stem sc-status",
    "cs-uri-stem date time sc-status c-ip cs-method",
  ];
  const cells: Readonly<Record<string, string>> = {
    time: "21:02:31",
    "c-ip": "192.0.2.24",
    "cs-method": "GET",
  };
  const text = heads
    .map((head, file) => {
      const line = (page: number): string =>
        head
          .split(" ")
          .map(
            (name) =>
              ({ ...cells, date: "2019-12-04", "cs-uri-stem": `/${file}-${page}`, "sc-status": "200" })[name],
          )
          .join("\t");
      return [`#Version: 1.0\n#Fields: ${head}`, ...Array.from({ length: 12 }, (_, page) => line(page))].join(
        "\n",
      );
    })
    .join("\n");
  for (const portion of [7, 1_000]) {
    const source = await textSource({
      name: "joined.log",
      open: bytesOf(text, portion),
      newDigest: sha256,
      format: "auto",
      all: false,
      hostname: SITE,
    });
    const pagesFrom = async (position: number): Promise<{ pages: string[]; ends: number[] }> => {
      const [pages, ends]: [string[], number[]] = [[], []];
      for await (const chunk of source.chunks({ position, lines: 0, cut: undefined, chunkBytes: 90 })) {
        ends.push(chunk.end);
        chunk.parse({
          row: (_, { url }) => pages.push(url),
          skip: String,
          bad: (_, reason) => pages.push(reason),
        });
      }
      return { pages, ends };
    };
    const whole = await pagesFrom(0);
    expect(new Set(whole.pages).size).toBe(24);
    for (const end of whole.ends) {
      const { pages } = await pagesFrom(end);
      expect(pages, `from ${end}`).toEqual(whole.pages.slice(whole.pages.length - pages.length));
    }
  }
});
