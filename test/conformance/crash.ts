/** Starts the process to be killed, and kills it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** @returns what the process had acknowledged when it was killed (SIGKILL), at least `count` names. */
export async function acknowledgedBeforeKill(
  kind: "store" | "stream",
  path: string,
  count: number,
): Promise<string[]> {
  const program = new URL("crash-writer.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [program, kind, path], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const names: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    names.push(line);
    if (names.length === count) child.kill("SIGKILL"); // and read on: more was acknowledged meanwhile
  }
  await exited;
  return names;
}
