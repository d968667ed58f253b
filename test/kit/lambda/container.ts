/**
 * One Lambda execution environment: a bundled function in a worker thread with an environment of its own. Module state
 * lasts from call to call, a timeout ends the thread wherever it is, and what it had sent may still arrive.
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";

export interface ContainerOptions {
  /** The bundle: an ES module that exports `handler`. */
  readonly entry: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Milliseconds by which the clocks of all its containers are ahead, as one Int32; none by default. */
  readonly ahead?: SharedArrayBuffer;
}

export interface Container {
  /** Rejects with what the handler threw, or with the timeout. Calls queue: an environment has one at a time. */
  // biome-ignore lint/suspicious/noExplicitAny: what a handler answers is the caller's to know
  invoke(event: unknown): Promise<any>;
  /** Ended by a timeout, a crash, `kill` or `close`; another one has to take over. */
  readonly isGone: boolean;
  /** Ends it now, in the middle of whatever it does; the call under way rejects as timed out. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

const LOOP = `
const { parentPort, workerData } = require("node:worker_threads");
if (workerData.ahead) {
  const ahead = new Int32Array(workerData.ahead);
  const real = Date.now;
  Date.now = () => real() + Atomics.load(ahead, 0);
}
const loaded = import(workerData.entry);
parentPort.on("message", async ({ event, endsAt }) => {
  try {
    const { handler } = await loaded;
    const context = { getRemainingTimeInMillis: () => Math.max(0, endsAt - performance.timeOrigin - performance.now()) };
    parentPort.postMessage({ result: await handler(event, context) });
  } catch (error) {
    parentPort.postMessage({ error: String(error?.stack ?? error) });
  }
});`;

/** Starts cold: the module is loaded with the first call's time running, as in Lambda. */
export function startContainer({ entry, environment, timeoutMs, ahead }: ContainerOptions): Container {
  const worker = new Worker(LOOP, {
    eval: true,
    env: { ...environment },
    workerData: { entry, ahead },
    execArgv: [],
  });
  let isGone = false;
  const gone = new Promise<void>((resolve) => {
    worker.once("exit", () => {
      isGone = true;
      resolve();
    });
  });
  // A crash is an exit like any other: the call under way rejects.
  worker.on("error", () => {});
  let last: Promise<unknown> = Promise.resolve();

  const call = async (event: unknown): Promise<unknown> => {
    if (isGone) throw new Error("this container is gone");
    const done = new AbortController();
    const { signal } = done;
    try {
      worker.postMessage({ event, endsAt: performance.timeOrigin + performance.now() + timeoutMs });
      const outcome = await Promise.race([
        once(worker, "message", { signal }).then(([message]) => message),
        gone.then(() => ({ error: "the container ended" })),
        sleep(timeoutMs, { timedOut: true }, { signal }),
      ]);
      if (outcome.timedOut) {
        await worker.terminate();
        throw new Error(`Task timed out after ${(timeoutMs / 1_000).toFixed(2)} seconds`);
      }
      if (outcome.error !== undefined) throw new Error(outcome.error);
      return outcome.result;
    } finally {
      done.abort();
    }
  };
  const end = async (): Promise<void> => {
    await worker.terminate();
  };
  return {
    get isGone() {
      return isGone;
    },
    invoke(event) {
      const answer = last.then(() => call(event));
      last = answer.catch(() => {});
      return answer;
    },
    kill: end,
    close: end,
  };
}
