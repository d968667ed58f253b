import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { metrics, query } from "../kit/client.ts";
import { runHere } from "../kit/command.ts";
import { generate, type StreamLine } from "../kit/generate.ts";
import { patience } from "../kit/patience.ts";
import { poll, runCommand, type ServerProcess, startServer } from "../kit/server.ts";
import { temporaryDirectory } from "../kit/temporary.ts";

const data = temporaryDirectory();

describe("rivulet replay FILE --speed max --url URL", () => {
  let server: ServerProcess;
  let lines: StreamLine[];
  let file: string;
  beforeAll(async () => {
    const to = Date.now();
    lines = [
      ...generate({ seed: 3, from: to - 3_600_000, to, events: 600, sites: ["shop"], late: 0, bots: 0 }),
    ];
    file = join(data, "recorded.ndjson");
    await writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    server = await startServer({
      data: join(data, "replay"),
      args: ["--site", "shop", "--trust-proxy"],
    });
  });
  afterAll(() => server?.stop());
  const settled = async (records: number) => {
    const isSettled = async (): Promise<boolean> => {
      const samples = await metrics(server.url);
      return samples.get("rivulet_records_total") === records && samples.get("rivulet_lag_seconds") === 0;
    };
    await poll(isSettled, { within: 5_000, what: `${records} records, and no lag` });
    return metrics(server.url);
  };
  const command = () => ["replay", file, "--speed", "max", "--url", server.url];
  const idOf = ({ envelope }: StreamLine): string => JSON.parse(atob(envelope.body64)).b;

  it("sends every batch, and each counts once", async () => {
    const { code, output } = await runCommand(command());
    expect(output.trim()).toBe(`${lines.length} batches sent, 0 refused by the server, 0 lines skipped`);
    expect(code).toBe(0);
    const samples = await settled(lines.length);
    expect(samples.get("rivulet_records_total")).toBe(lines.length);
    expect(samples.get("rivulet_batches_total")).toBe(new Set(lines.map(idOf)).size);
    const { results } = await query(server.url, {
      site_id: "shop",
      metrics: ["visitors", "events"],
      date_range: "7d",
      dimensions: ["visit:country"],
    });
    // By X-Forwarded-For; otherwise all of them would be one visitor from nowhere.
    expect(results.length).toBeGreaterThan(3);
  });

  it("counts nothing when the same file is sent again", async () => {
    const before = (await settled(lines.length)).get("rivulet_events_total");
    expect((await runHere(command())).code).toBe(0);
    const samples = await settled(2 * lines.length);
    expect(samples.get("rivulet_records_total")).toBe(2 * lines.length);
    expect(samples.get("rivulet_events_total")).toBe(before);
  });

  it("says which line is no record, goes on, and ends with code 1", async () => {
    const broken = join(data, "broken.ndjson");
    const elsewhere = { ...lines[0]!.envelope, route: "http://127.0.0.1:1/v1/events" };
    const text = [
      JSON.stringify(elsewhere),
      ...Array.from({ length: 11 }, () => "not json"),
      JSON.stringify(lines[0]),
    ];
    await writeFile(broken, text.join("\n"));
    const { code, output } = await runHere(["replay", broken, "--speed", "max", "--url", server.url]);
    expect(output).toContain(`${broken}:1: envelope.route: none of /v1/events, /api/event`);
    expect(output.split("\n").filter((line) => line.includes("not JSON")).length).toBe(9);
    expect(output).toContain("1 batches sent, 0 refused by the server, 12 lines skipped");
    expect(code).toBe(1);
  });

  it("sends what begins with a byte order mark, or came from an address that no header takes, and skips impossible times", async () => {
    const odd = join(data, "odd.ndjson");
    const line = JSON.stringify(lines[0]);
    const endless = JSON.stringify({ envelope: lines[0]!.envelope }).replace(/"at":\d+/, '"at":1e999');
    const strange = JSON.stringify({ ...lines[0], envelope: { ...lines[0]!.envelope, ip: "a\r\nb" } });
    await writeFile(odd, `\uFEFF${[line, endless, strange].join("\n")}`);
    const { output } = await runHere(["replay", odd, "--speed", "max", "--url", server.url]);
    expect(output).toContain(`${odd}:2: envelope.at: not a time in epoch milliseconds`);
    expect(output).toContain("2 batches sent, 0 refused by the server, 1 lines skipped");
  });

  it.each([
    { name: "a file that is not there", args: ["nowhere.ndjson"], message: "nowhere.ndjson: cannot be read" },
    {
      name: "no URL",
      args: ["nowhere.ndjson", "--url", "nonsense"],
      message: "--url nonsense: not an address",
    },
  ])("refuses $name in one line", async ({ args, message }) => {
    const { code, output } = await runHere(["replay", ...args]);
    expect(output).toContain(message);
    expect(output.trim().split("\n").length).toBe(1);
    expect(code).toBe(1);
  });
});

describe("rivulet demo", () => {
  it("shows a week of visitors within seconds and new ones every few seconds", async () => {
    const startedAt = performance.now();
    const server = await startServer({ data: join(data, "demo"), command: "demo" });
    try {
      const total = async (date_range: string): Promise<number> =>
        (await query(server.url, { site_id: "demo", metrics: ["pageviews"], date_range })).results[0]
          ?.metrics[0] as number;
      await poll(async () => (await total("7d")) > 0, { within: 5_000, what: "first numbers" });
      const first = performance.now() - startedAt;
      await poll(async () => (await total("7d")) > 5_000, { within: 30_000, what: "a week of visitors" });
      const week = performance.now() - startedAt;
      await poll(() => /live traffic goes on/.test(server.output()), {
        within: 40_000,
        what: "the end of history",
      });
      console.log(
        `first numbers ${first.toFixed(0)} ms after the start, 5,000 page views ${week.toFixed(0)} ms, all ${(performance.now() - startedAt).toFixed(0)} ms`,
      );
      const before = (await metrics(server.url)).get("rivulet_events_total") ?? 0;
      await poll(async () => ((await metrics(server.url)).get("rivulet_events_total") ?? 0) > before, {
        within: 10_000,
        what: "live traffic",
      });
    } finally {
      // A week of rollups may be half folded by now; nobody should wait for the rest.
      const stoppedAt = performance.now();
      expect(await server.stop()).toEqual({ code: 0, signal: null });
      expect(performance.now() - stoppedAt).toBeLessThan(patience(3_000));
    }
  });
});
