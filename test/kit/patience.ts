/** Time limits of tests that hold the real product to a duration, on a machine that may have other work to do. */
import { availableParallelism, loadavg } from "node:os";

/** `ms` as it is where every task has a core to itself; where tasks wait for cores, as many times as there are tasks to a core. */
export const patience = (ms: number): number => ms * Math.max(1, loadavg()[0]! / availableParallelism());
