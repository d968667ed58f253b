/** The command line in this process: a command takes hundredths of a second then, and half a second in a process of its own. */
import { runCommandLine } from "../../infra/local/commandline.ts";

/**
 * Runs a command to its end, with these variables in the environment meanwhile. server.ts has the same for whoever must
 * see a process: its signals, its end, its memory.
 */
export async function runHere(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: number; readonly output: string }> {
  let output = "";
  const take = (text: string): void => {
    output += `${text}\n`;
  };
  const before = Object.keys(environment).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, environment);
  try {
    const code = await runCommandLine(words, { print: take, warn: take });
    return { code, output };
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}
