/** Disturbs a recorded stream as a real one may: repeats and delays, never out of a visitor's own order. */
import { partitionKeyOf, type StreamLine } from "../../processors/model/streamfile.ts";
import type { CheckedOptions } from "./options.ts";
import type { Random } from "./random.ts";

/**
 * The lines in their new order of arrival, by these options of a replay. Their envelopes stay as they are: the edge had
 * stamped them already.
 */
export function disturb(
  lines: readonly StreamLine[],
  {
    duplicates = 0,
    shuffle = 0,
    lateBy = 0,
  }: Partial<Pick<CheckedOptions, "duplicates" | "shuffle" | "lateBy">>,
  random: Random,
): StreamLine[] {
  const latest = new Map<string, number>();
  const delays = new Map<string, number>();
  const result: { line: StreamLine; order: number }[] = [];
  const put = (line: StreamLine, key: string, arrival: number): void => {
    // Not before the same visitor's last one.
    const at = Math.max(arrival, latest.get(key) ?? 0);
    latest.set(key, at);
    result.push({ line: { ...line, arrival: at }, order: result.length });
  };
  for (const line of lines) {
    const key = partitionKeyOf(line.envelope);
    let delay = delays.get(key);
    if (delay === undefined) {
      delay = lateBy > 0 && random.chance(0.1) ? random.below(lateBy + 1) : 0;
      delays.set(key, delay);
    }
    const arrival = line.arrival + delay + (shuffle > 0 ? random.below(shuffle + 1) : 0);
    put(line, key, arrival);
    if (random.chance(duplicates)) put(line, key, arrival + (shuffle > 0 ? random.below(shuffle + 1) : 0));
  }
  return result.sort((a, b) => a.line.arrival - b.line.arrival || a.order - b.order).map(({ line }) => line);
}
