/** The command line as a program: its words, its two outputs and its exit code are those of this process. */
import { runCommandLine } from "./commandline.ts";

// Whoever read them may have gone, as `head` does: a server goes on counting then, and nobody is left to be told.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

process.exitCode = await runCommandLine(process.argv.slice(2), {
  print: (text) => console.log(text),
  warn: (text) => console.error(text),
});
