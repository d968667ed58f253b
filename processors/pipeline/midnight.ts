/**
 * How far visits may have gone under the ids of each day. A visit that goes on after midnight keeps yesterday's id, so a
 * visitor whom nobody knows today is looked for under that id too: by a second hash, which nearly always finds nobody.
 * This says where there can be nobody. It is a bound, never too low, so without it the same is counted, only more slowly.
 */
import type { EpochMs } from "../model/time.ts";
import type { ShardState, VisitorState } from "./state.ts";

export class LatestByDay {
  /** Of whatever was remembered before: ids do not tell their day. */
  readonly #before: EpochMs;
  readonly #days = new Map<number, EpochMs>();

  /** `state`: everything that is known when looking begins. What is folded into it from then on has to be told to `saw`. */
  constructor(state: ShardState) {
    this.#before = Math.max(latestOf(state.visitors), latestOf(state.past.visitors));
  }

  /** An event at this time, or an earlier one, was counted under an id of this day. */
  saw(day: number, at: EpochMs): void {
    if (at > (this.#days.get(day) ?? 0)) this.#days.set(day, at);
  }

  /** No visit under an id of this day has an event later than this. */
  of(day: number): EpochMs {
    return Math.max(this.#before, this.#days.get(day) ?? 0);
  }
}

function latestOf(visitors: ReadonlyMap<string, VisitorState>): EpochMs {
  let latest = 0;
  for (const { sessions } of visitors.values())
    for (const { last } of sessions) latest = Math.max(latest, last);
  return latest;
}
