/** Runs a bundled function as Lambda does: a worker of its own, its template's environment, module state kept between calls. */
import { once } from "node:events";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Json, Synthesised } from "./synth.ts";

/** Values for what a template leaves open: `Ref` and `Fn::GetAtt` by logical id (or `id.attribute`). */
export type Known = Readonly<Record<string, string>>;

/** A template's value with its intrinsic functions worked out. Throws on a reference that is not known. */
export function resolve(value: Json, known: Known): Json {
  if (Array.isArray(value)) return value.map((one) => resolve(one, known));
  if (typeof value !== "object" || value === null) return value;
  const [[key, argument] = ["", undefined], ...more] = Object.entries<Json>(value);
  if (more.length === 0 && (key === "Ref" || key.startsWith("Fn::"))) return intrinsic(key, argument, known);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, resolve(one, known)]));
}

function intrinsic(name: string, argument: Json, known: Known): Json {
  const look = (id: string): string => {
    const found = known[id];
    if (found === undefined) throw new Error(`${name} of ${id} is not known`);
    return found;
  };
  if (name === "Ref") return look(argument);
  if (name === "Fn::GetAtt") return look(argument.join("."));
  const [first, second] = resolve(argument, known);
  if (name === "Fn::Join") return second.join(first);
  if (name === "Fn::Split") return second.split(first);
  if (name === "Fn::Select") return second[Number(first)];
  throw new Error(`${name} is not known`);
}

export interface LambdaFunction {
  /** Rejects with what the handler threw. Calls queue: an instance has one at a time. */
  invoke(event: unknown): Promise<Json>;
  close(): Promise<void>;
}

const LOOP = `
const { parentPort, workerData } = require("node:worker_threads");
const loaded = import(workerData);
parentPort.on("message", async (event) => {
  try {
    const { handler } = await loaded;
    const context = { getRemainingTimeInMillis: () => 60_000 };
    parentPort.postMessage({ result: await handler(event, context) });
  } catch (error) {
    parentPort.postMessage({ error: String(error?.stack ?? error) });
  }
});`;

/** A new instance (a cold start) of the function that was synthesised under `id`. */
export function startFunction(cloud: Synthesised, id: string, environment: Known): LambdaFunction {
  const worker = new Worker(LOOP, {
    eval: true,
    env: { ...environment },
    workerData: join(bundleOf(cloud, id), "index.mjs"),
    execArgv: [],
  });
  let last: Promise<unknown> = Promise.resolve();
  const call = async (event: unknown): Promise<Json> => {
    worker.postMessage(event);
    const [{ result, error }] = await once(worker, "message");
    if (error !== undefined) throw new Error(error);
    return result;
  };
  return {
    invoke(event) {
      const answer = last.then(() => call(event));
      last = answer.catch(() => {});
      return answer;
    },
    async close() {
      await worker.terminate();
    },
  };
}

/** Folder of the code that the template would upload. */
export function bundleOf(cloud: Synthesised, id: string): string {
  const key: string = cloud.template.toJSON().Resources[id].Properties.Code.S3Key;
  return join(cloud.outdir, `asset.${key.replace(/\.zip$/, "")}`);
}
