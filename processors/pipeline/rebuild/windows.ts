/** Which windows a rebuild on AWS puts and compares, in an order in which one call can go on where another ended. */
import type { EpochMs } from "../../model/time.ts";
import { hourStart } from "../../model/zone.ts";
import type { Store } from "../../stores/store.ts";
import { inPortions } from "../portions.ts";
import { instantKey, partition } from "../rollups.ts";
import type { WindowChange } from "./change.ts";
import { keysOf } from "./edition.ts";
import type { Begun, Windows } from "./files.ts";

/** Writes of a store share a sync. */
const AT_ONCE = 16;

type Window = Pick<WindowChange, "granularity" | "start">;

/** How far a step came that is called until it is done. */
export interface Progress {
  readonly isDone: boolean;
  /** For the next call; "" to begin with. */
  readonly next: string;
}

/** Does something for each window of the site, a few at once, for as long as there is time. */
export async function eachWindow(
  { store, hasTime }: { readonly store: Store; readonly hasTime: () => boolean },
  { current }: Begun,
  merged: Windows,
  next: string,
  work: (window: Window) => Promise<void>,
): Promise<Progress> {
  let some: Window[] = [];
  const flush = async (): Promise<void> => {
    await inPortions(some, AT_ONCE, work);
    some = [];
  };
  for await (const window of windowsAfter(store, current, merged, next)) {
    some.push(window);
    if (some.length < AT_ONCE) continue;
    await flush();
    if (!hasTime()) return { isDone: false, next: `${window.granularity}-${instantKey(window.start)}` };
  }
  await flush();
  return { isDone: true, next: "" };
}

/** Whether a rebuild replaces a window. */
export const isMadeAgain = ({ from, to, zone }: Begun, { incomplete }: Windows, start: EpochMs): boolean =>
  start >= from && start < to && !incomplete.has(hourStart(zone, start));

/** Windows that are read or were folded, each once, hours first, in the order of time, those after `after`. */
async function* windowsAfter(
  store: Store,
  current: string,
  merged: Windows,
  after: string,
): AsyncGenerator<Window> {
  const [reached = "", sk = ""] = after.split("-");
  for (const granularity of ["hour", "minute"] as const) {
    if (reached === "minute" && granularity === "hour") continue;
    const from = reached === granularity ? sk : "";
    const folded = [...(granularity === "hour" ? merged.hours : merged.minutes).keys()]
      .filter((start) => instantKey(start) > from)
      .sort((a, b) => b - a);
    for await (const key of keysOf(store, partition(granularity, current), from)) {
      const live = Number(key);
      for (let start = folded.at(-1); start !== undefined && start <= live; start = folded.at(-1)) {
        folded.pop();
        if (start < live) yield { granularity, start };
      }
      yield { granularity, start: live };
    }
    for (let start = folded.pop(); start !== undefined; start = folded.pop()) yield { granularity, start };
  }
}
