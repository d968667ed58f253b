/** The containers of one function as Lambda keeps them: warm ones taken in any order, cold starts in between, dead ones replaced. */
import type { Random } from "../random.ts";
import type { Container } from "./container.ts";

export interface Pool {
  // biome-ignore lint/suspicious/noExplicitAny: what a handler answers is the caller's to know
  invoke(event: unknown): Promise<any>;
  /** Alive now. */
  readonly size: number;
  /** Containers started so far. */
  readonly started: number;
  close(): Promise<void>;
}

/** A call that finds no idle container starts one; another one in `coldEvery` does so although there are idle ones, up to `most`. */
export function containerPool(
  start: () => Container,
  { random, most, coldEvery = 8 }: { random: Random; most: number; coldEvery?: number },
): Pool {
  const idle: Container[] = [];
  const all = new Set<Container>();
  let started = 0;
  const take = (): Container => {
    const isCold = idle.length === 0 || (all.size < most && random.chance(1 / coldEvery));
    // Whichever is not taken stays as it is, frozen with what it remembers.
    if (!isCold) return idle.splice(random.below(idle.length), 1)[0]!;
    const container = start();
    all.add(container);
    started++;
    return container;
  };
  return {
    get size() {
      return all.size;
    },
    get started() {
      return started;
    },
    async invoke(event) {
      const container = take();
      try {
        return await container.invoke(event);
      } finally {
        if (container.isGone) all.delete(container);
        else idle.push(container);
      }
    },
    async close() {
      for (const container of all) await container.close();
    },
  };
}
