/**
 * Has the archive's files kept by a thread beside the event loop. It is begun with the first order, and ended when none
 * has come for a while, which gives its memory back; while many come, as during an import, its code stays compiled.
 */
import { Worker } from "node:worker_threads";
import { ClickstreamError } from "../errors.ts";
import type { KeepingOrder, KeepingReport } from "./keeping.ts";
import type { Answer } from "./thread.ts";

/** A journal of 8 MiB takes about a quarter of it. */
const HEAP_MB = 256;
const IDLE_MS = 10_000;

/** A checkout has sources; a package what was compiled from them. */
const THREAD = new URL(`./thread.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);

export class Keeper {
  #thread: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;

  /** One order at a time. Throws `unavailable` when files could not be made: the same order may be given again. */
  async keep(order: KeepingOrder): Promise<KeepingReport> {
    clearTimeout(this.#idle);
    this.#thread ??= this.#begin();
    const thread = this.#thread;
    thread.ref();
    try {
      const answer = await answerOf(thread, order);
      if ("error" in answer) throw answer.error;
      return answer.report;
    } catch (cause) {
      await this.close();
      throw new ClickstreamError("unavailable", `archive ${order.directory}: files could not be made`, {
        cause,
      });
    } finally {
      thread.unref();
      this.#idle = setTimeout(() => void this.close(), IDLE_MS).unref();
    }
  }

  #begin(): Worker {
    const thread = new Worker(THREAD, { resourceLimits: { maxOldGenerationSizeMb: HEAP_MB } });
    // Whoever waits for an answer hears of it too; nobody may be waiting.
    thread.on("error", () => {});
    thread.once("exit", () => {
      if (this.#thread === thread) this.#thread = undefined;
    });
    return thread;
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.terminate();
  }
}

function answerOf(thread: Worker, order: KeepingOrder): Promise<Answer> {
  return new Promise((done, fail) => {
    const ended = (code: number): void => fail(new Error(`the thread that makes files ended (${code})`));
    thread.once("error", fail).once("exit", ended);
    thread.once("message", (answer: Answer) => {
      thread.off("error", fail).off("exit", ended);
      done(answer);
    });
    thread.postMessage(order);
  });
}
