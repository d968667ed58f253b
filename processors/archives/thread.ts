/** Entry of the thread that keeps the archive's files: one order, one report, and it is over. */
import { parentPort, workerData } from "node:worker_threads";
import { type KeepingOrder, keepFiles } from "./keeping.ts";

parentPort?.postMessage(await keepFiles(workerData as KeepingOrder));
