/** How long work takes at its best, for tests that hold it to a bound whatever else the machine is doing. */

/** Milliseconds of the quickest of several runs: what else runs on the machine only adds. Ends early once a run is within `enough`. */
export function fastestMs(work: () => unknown, enough: number, runs = 10): number {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs && best >= enough; run++) {
    const startedAt = performance.now();
    work();
    best = Math.min(best, performance.now() - startedAt);
  }
  return best;
}
