/** The thread that counts while a file is imported and no server does: then parsing has a core of its own. */
import { parentPort, workerData } from "node:worker_threads";
import { type CountingOptions, startCounting } from "./runtime.ts";

const counting = await startCounting({
  ...(workerData as Omit<CountingOptions, "log">),
  log: (line) => parentPort?.postMessage({ log: line }),
});
parentPort?.once("message", async () => {
  await counting.close();
  parentPort?.close();
});
parentPort?.postMessage("ready");
