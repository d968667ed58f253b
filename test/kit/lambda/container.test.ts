/** A function in a container that can freeze, time out and be killed. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Random } from "../random.ts";
import { temporaryDirectory } from "../temporary.ts";
import { type Container, startContainer } from "./container.ts";
import { containerPool } from "./pool.ts";

const FUNCTION = `
let calls = 0;
export async function handler(event, context) {
  calls++;
  if (event === "throw") throw new Error("as told");
  if (event === "hang") await new Promise((resolve) => setTimeout(resolve, 60_000));
  if (event === "exit") process.exit(1);
  return { calls, name: process.env.NAME, left: context.getRemainingTimeInMillis(), now: Date.now() };
}`;

const folder = temporaryDirectory();
let entry: string;
const open: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  entry = join(folder, "index.mjs");
  await writeFile(entry, FUNCTION);
});
afterAll(async () => {
  for (const one of open) await one.close();
});

function start(timeoutMs = 10_000, ahead?: SharedArrayBuffer): Container {
  const environment = { NAME: "aggregate" };
  const container = startContainer({ entry, environment, timeoutMs, ...(ahead && { ahead }) });
  open.push(container);
  return container;
}

describe("a container", () => {
  it("keeps the module's state from call to call, and has the environment that it was given", async () => {
    const container = start();
    expect(await container.invoke({})).toMatchObject({ calls: 1, name: "aggregate" });
    expect(await container.invoke({})).toMatchObject({ calls: 2 });
    expect(await start().invoke({}), "another one").toMatchObject({ calls: 1 });
  });

  it("rejects with what the handler threw, and lives on", async () => {
    const container = start();
    await expect(container.invoke("throw")).rejects.toThrow("as told");
    expect(await container.invoke({})).toMatchObject({ calls: 2 });
  });

  it("has one call at a time", async () => {
    const container = start();
    const answers = await Promise.all([1, 2, 3].map((event) => container.invoke(event)));
    expect(answers.map(({ calls }) => calls)).toEqual([1, 2, 3]);
  });

  it("tells the handler how long it has, and ends for good when that is over", async () => {
    const container = start(1_500);
    const { left } = await container.invoke({});
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(1_500);
    await expect(container.invoke("hang")).rejects.toThrow("Task timed out after 1.50 seconds");
    expect(container.isGone).toBe(true);
    await expect(container.invoke({})).rejects.toThrow("gone");
  });

  it("rejects when it is killed or exits in the middle of a call", async () => {
    const killed = start();
    await killed.invoke({});
    const call = killed.invoke("hang");
    await Promise.all([expect(call).rejects.toThrow("the container ended"), killed.kill()]);
    await expect(start().invoke("exit")).rejects.toThrow("the container ended");
  });

  it("sees the time that the test lets pass", async () => {
    const ahead = new SharedArrayBuffer(4);
    const container = start(10_000, ahead);
    new Int32Array(ahead)[0] = 3_600_000;
    const { now } = await container.invoke({});
    expect(now - Date.now()).toBeGreaterThan(3_590_000);
  });
});

describe("a pool of containers", () => {
  it("takes idle ones in any order, starts another for each call beyond them, and replaces the dead", async () => {
    const pool = containerPool(() => start(), { random: new Random(5), most: 2, coldEvery: 2 });
    open.push(pool);
    const calls: number[] = [];
    for (let i = 0; i < 12; i++) calls.push((await pool.invoke({})).calls);
    expect(pool.size).toBe(2);
    expect(calls.filter((n) => n === 1)).toHaveLength(2);
    await Promise.all([1, 2, 3].map((event) => pool.invoke(event)));
    expect(pool.size, "three at once").toBe(3);
    await expect(pool.invoke("exit")).rejects.toThrow("ended");
    expect(pool.size).toBe(2);
  });
});
