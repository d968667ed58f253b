/**
 * The choices that make a schedule what it is, step by step: drawn from a seed and written down, or given as a list.
 * A list may be cut and its numbers lowered: what is left is still a schedule, and a simpler one.
 */
import type { Random } from "../random.ts";

/** What was picked in the setting up, and then in each step. */
export type ChoiceList = readonly (readonly number[])[];

export interface Choices {
  /**
   * One of `options`, as its index. 0 must be the calm choice: it is drawn with chance `calm`, and taken where a given
   * list says nothing.
   */
  pick(options: number, calm: number): number;
  /** Begins the next step; false when there is none left. */
  next(): boolean;
  /** What was picked so far; `replayChoices` makes the same schedule of it. */
  readonly taken: ChoiceList;
}

/** Draws choices for the setting up and for that many steps. */
export function randomChoices(random: Random, steps: number): Choices {
  let current: number[] = [];
  const taken = [current];
  return {
    taken,
    pick(options, calm) {
      const picked = options < 2 || random.unit() < calm ? 0 : 1 + random.below(options - 1);
      current.push(picked);
      return picked;
    },
    next() {
      if (taken.length > steps) return false;
      current = [];
      taken.push(current);
      return true;
    },
  };
}

/** Takes the numbers as they come; one that is too large counts modulo the options there are. */
export function replayChoices(list: ChoiceList): Choices {
  let current: number[] = [];
  const taken = [current];
  return {
    taken,
    pick(options) {
      const given = list[taken.length - 1]?.[current.length] ?? 0;
      const picked = options < 2 ? 0 : given % options;
      current.push(picked);
      return picked;
    },
    next() {
      if (taken.length >= list.length) return false;
      current = [];
      taken.push(current);
      return true;
    },
  };
}
