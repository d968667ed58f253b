import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { batchPost, postLanes, query } from "../kit/client.ts";
import { runHere } from "../kit/command.ts";
import { patience } from "../kit/patience.ts";
import { poll, runCommand, type ServerProcess, startServer } from "../kit/server.ts";
import { temporaryDirectory } from "../kit/temporary.ts";

const data = temporaryDirectory();

const residentMb = async (pid: number): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
};

describe("npm start", () => {
  let server: ServerProcess;
  let took: number;
  beforeAll(async () => {
    const startedAt = performance.now();
    server = await startServer({ data: join(data, "fresh") });
    took = performance.now() - startedAt;
  });
  afterAll(() => server?.stop());

  it("answers /healthz in under 5 s and rests in under 150 MB", async () => {
    // Idle means later than the work of starting: the collector of garbage runs by then.
    await sleep(5_000);
    const resident = await residentMb(server.pid);
    console.log(`healthy after ${took.toFixed(0)} ms, resident ${resident.toFixed(0)} MB after 5 s`);
    expect(took).toBeLessThan(patience(5_000));
    expect(resident).toBeLessThan(150);
  });

  it("takes 15,000 events and goes on in under 170 MB", async () => {
    const batch = (number: number) =>
      batchPost({
        s: "memory",
        b: `b${number}`,
        e: Array.from({ length: 10 }, (_, i) => ({
          n: "pageview",
          u: `https://example.com/${(number + i) % 50}`,
        })),
      });
    const loaded = await startServer({ data: join(data, "loaded"), args: ["--site", "memory"] });
    try {
      const lanes = Array.from({ length: 8 }, (_, lane) =>
        Array.from({ length: 188 }, (_, i) => batch(lane * 188 + i)),
      );
      await postLanes(loaded.url, lanes, (_, status) => expect(status).toBe(204));
      // Every ten seconds it is compacted and recounted; both are over then.
      await sleep(15_000);
      const resident = await residentMb(loaded.pid);
      console.log(`resident ${resident.toFixed(0)} MB after 15,000 events`);
      expect(resident).toBeLessThan(170);
    } finally {
      await loaded.stop();
    }
  });

  it("prints the dashboard's address and the snippet to paste", () => {
    expect(server.output()).toContain(`Dashboard  ${server.url}/?site=demo`);
    expect(server.output()).toContain(`<script defer src="${server.url}/c.js" data-site="demo"></script>`);
  });

  it("keeps what it acknowledged when Ctrl-C comes in the middle of a load, and ends with code 0", async () => {
    const batch = (number: number) =>
      batchPost({
        s: "demo",
        b: `b${number}`,
        c: { u: "https://example.com/" },
        e: [{ n: "pageview" }],
      });
    const lanes = Array.from({ length: 4 }, (_, lane) =>
      Array.from({ length: 200 }, (_, i) => batch(lane * 200 + i)),
    );
    let acknowledged = 0;
    let stopping: Promise<unknown> | undefined;
    await postLanes(server.url, lanes, (_, status) => {
      if (status === 204) acknowledged++;
      if (acknowledged === 150) stopping ??= server.stop();
    });
    expect(await stopping).toEqual({ code: 0, signal: null });
    server = await startServer({ data: join(data, "fresh") });
    const totals = { site_id: "demo", metrics: ["events"], date_range: "7d" };
    await expect
      .poll(async () => (await query(server.url, totals)).results[0]?.metrics[0], { timeout: 10_000 })
      .toBe(acknowledged);
  });

  it("goes on where nobody reads what it prints, and stops as ever", async () => {
    const port = await freePort();
    const args = ["start", "--port", String(port), "--data", join(data, "unread")];
    const unread = spawn("bash", ["-c", 'exec "$@" > >(true)', "bash", process.execPath, BIN, ...args]);
    const ended = once(unread, "exit");
    const isUp = () => fetch(`http://127.0.0.1:${port}/healthz`).catch(() => undefined);
    await poll(isUp, { within: 20_000, what: "/healthz" });
    unread.kill("SIGINT");
    expect(await ended).toEqual([0, null]);
  });
});

it("a command whose output no disk takes says so, and does not end as if all were well", async () => {
  const told = spawn("bash", ["-c", 'exec "$@" > /dev/full', "bash", process.execPath, BIN, "--help"]);
  const said = text(told.stderr);
  expect(await once(told, "exit")).toEqual([1, null]);
  expect(await said).toMatch(/^rivulet: what it prints cannot be written \(ENOSPC/);
});

const BIN = fileURLToPath(new URL("../../infra/local/bin.js", import.meta.url));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

describe("a start that cannot work says why in one line and ends", () => {
  const refusedWith = async (
    args: readonly string[],
    message: RegExp,
    run: (words: readonly string[]) => Promise<{ code: number | null; output: string }> = runCommand,
  ): Promise<void> => {
    const { code, output } = await run(["start", "--data", join(data, "refused"), ...args]);
    expect(output).toMatch(message);
    expect(output).not.toMatch(/^\s+at /m);
    expect(output.trim().split("\n").length).toBe(1);
    expect(code).toBe(1);
  };

  it("on a port that is taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as AddressInfo;
    await refusedWith(["--port", String(port)], new RegExp(`port ${port} is taken`));
    other.close();
  });
  it("with an unknown time zone", () => refusedWith(["--site", "a@Mars/Base"], /Mars\/Base/));
  it("with a site of no name", () => refusedWith(["--site", "@Asia/Seoul"], /site/, runHere));
  it("where data cannot be written", async () => {
    await writeFile(join(data, "file"), "");
    await refusedWith(["--data", join(data, "file", "below")], /--data .*cannot be made or written/);
  });
  it("on an address that this machine does not have", () =>
    refusedWith(["--host", "203.0.113.9", "--public"], /cannot listen on 203\.0\.113\.9/));
  it("with a stream or store of an unknown kind", async () => {
    await refusedWith(["--stream", "kafka:events"], /kinesis:NAME/, runHere);
    await refusedWith(["--store", "redis:x"], /dynamodb:TABLE/, runHere);
  });

  it("with an unknown flag, and names the one that was meant", async () => {
    const { code, output } = await runCommand(["start", "--prot", "1"]);
    expect(output).toContain("unknown option '--prot'");
    expect(output).toContain("--port");
    expect(output.trim().split("\n").length).toBe(3);
    expect(output).not.toMatch(/^\s+at /m);
    expect(code).toBe(1);
  });
  it.each(["http", "", "65536"])("with a port that is none: %j", async (port) => {
    const { code, output } = await runHere(["start", "--port", port]);
    expect(output).toContain("a port is 0 to 65535");
    expect(code).toBe(1);
  });
});
