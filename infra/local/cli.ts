/** The command line as a program: its words, its two outputs and its exit code are those of this process. */
import { runCommandLine } from "./commandline.ts";

let isLost = false;
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // Whoever read it may have gone, as `head` does: a server goes on counting then, and nobody is left to be told.
    if (error.code === "EPIPE" || isLost) return;
    isLost = true;
    process.exitCode ||= 1;
    console.error(`rivulet: what it prints cannot be written (${error.message})`);
  });
}

const exitCode = await runCommandLine(process.argv.slice(2), {
  print: (text) => console.log(text),
  warn: (text) => console.error(text),
});
process.exitCode = isLost ? exitCode || 1 : exitCode;
