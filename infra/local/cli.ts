/** The command line as a program: its words, its two outputs and its exit code are those of this process. */
import { runCommandLine } from "./commandline.ts";

process.exitCode = await runCommandLine(process.argv.slice(2), {
  print: (text) => console.log(text),
  warn: (text) => console.error(text),
});
