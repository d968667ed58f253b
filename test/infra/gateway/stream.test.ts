/** Answers that are made while they are sent. */
import { get } from "node:http";
import { afterAll, beforeAll, expect, it } from "vitest";
import { poll } from "../../kit/server.ts";
import { type Running, startGateway } from "./kit.ts";

let running: Running;
let made = 0;
let ended = 0;
const LINES = 200_000;

beforeAll(async () => {
  running = await startGateway();
  function* lines(): Generator<string> {
    try {
      for (made = 0; made < LINES; made++) yield `${String(made).padStart(98, "0")}\r\n`;
    } finally {
      ended++;
    }
  }
  const headers = { "Content-Type": "text/csv" };
  running.gateway.route("GET", "/long", () => ({ status: 200, headers, body: "head\r\n", more: lines() }));
  running.gateway.route("GET", "/broken", () => ({
    status: 200,
    headers,
    body: "",
    more: (function* () {
      yield "x".repeat(20_000);
      throw new Error("in the middle");
    })(),
  }));
});
afterAll(() => running.gateway.close());

it("arrive whole and in order", async () => {
  const text = await (await fetch(`${running.url}/long`)).text();
  const lines = text.split("\r\n");
  expect(lines).toHaveLength(LINES + 2);
  expect(lines[0]).toBe("head");
  expect(lines.slice(1, -1).every((line, i) => Number(line) === i)).toBe(true);
});

it("are made no faster than they are read, and no further once nobody reads", async () => {
  made = 0;
  const before = ended;
  const request = get(`${running.url}/long`);
  const paused = new Promise<void>((resolve) =>
    request.on("response", (response) => {
      response.once("readable", resolve);
    }),
  );
  await paused;
  const seen: number[] = [];
  const standsStill = (): boolean => {
    seen.push(made);
    return made > 0 && made === seen.at(-2);
  };
  await poll(standsStill, { within: 5_000, what: "a standstill", every: 100 });
  expect(made).toBeLessThan(LINES);
  request.destroy();
  await poll(() => ended > before, { within: 5_000, what: "the end of the making" });
  expect(made).toBeLessThan(LINES);
});

it("end when a client takes no more of them for long, and is still there", async () => {
  const patient = await startGateway({ idleMs: 200 });
  let isOver = false;
  patient.gateway.route("GET", "/endless", () => ({
    status: 200,
    body: "",
    more: (function* () {
      try {
        for (;;) yield "x".repeat(20_000);
      } finally {
        isOver = true;
      }
    })(),
  }));
  const request = get(`${patient.url}/endless`);
  request.on("error", () => {});
  await new Promise<void>((resolve) =>
    request.on("response", (response) => {
      response.on("error", () => {}).once("readable", resolve);
    }),
  );
  await poll(() => isOver, { within: 5_000, what: "the end of the making" });
  request.destroy();
  await patient.gateway.close();
});

it("have no body for HEAD", async () => {
  const response = await fetch(`${running.url}/long`, { method: "HEAD" });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/csv");
  expect(await response.text()).toBe("");
});

it("break off, so that half a table is not taken for a whole one, and tell the operator why", async () => {
  const response = await fetch(`${running.url}/broken`);
  await expect(response.text()).rejects.toThrow();
  expect(running.log.map((line) => JSON.parse(line))).toEqual([
    {
      level: "error",
      operation: "GET /broken",
      id: expect.any(String),
      error: [expect.stringContaining("in the middle")],
    },
  ]);
  expect((await fetch(`${running.url}/long`, { method: "HEAD" })).status).toBe(200);
});

it("tell the operator nothing when it was the client who left", async () => {
  const before = running.log.length;
  let isOver = false;
  running.gateway.route("GET", "/waits", ({ signal }) => ({
    status: 200,
    body: "",
    more: (async function* () {
      yield "x".repeat(20_000);
      await new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason))).finally(
        () => {
          isOver = true;
        },
      );
    })(),
  }));
  const request = get(`${running.url}/waits`);
  await new Promise<void>((resolve) =>
    request.on("response", (response) => response.once("readable", resolve)),
  );
  request.on("error", () => {}).destroy();
  await poll(() => isOver, { within: 5_000, what: "the end of the making" });
  await (await fetch(`${running.url}/long`, { method: "HEAD" })).text();
  expect(running.log.slice(before)).toEqual([]);
});
