/** The commands that are no server: replay, redrive, import, rebuild, what manage.ts adds, and the rest. */
import { type Command, CommanderError } from "commander";
import { addCost } from "./cost/command.ts";
import { speed } from "./flags.ts";
import { addImport } from "./importcommand.ts";
import { addManagement } from "./manage.ts";
import { openKinesis } from "./opening.ts";
import { addRebuild } from "./rebuild.ts";
import { redrive } from "./redrive.ts";
import { replayFile } from "./replay.ts";
import { addSimulate } from "./simulate/command.ts";
import { addSnippet } from "./snippet.ts";
import type { Terminal } from "./terminal.ts";
import { addTrace } from "./trace.ts";

/** Adds them all to `program`. */
export function addCommands(program: Command, terminal: Terminal): void {
  const { print, log } = terminal;
  program
    .command("replay <file>")
    .description("send a recorded stream (NDJSON, one envelope a line) to a running server")
    .option("--speed <factor>", "how many times faster than recorded, or max", speed, 1)
    .option("--url <url>", "the server", "http://127.0.0.1:8080")
    .action(async (file: string, flags: { speed: number; url: string }) => {
      const summary = await replayFile(file, { ...flags, log });
      print(
        `${summary.sent} batches sent, ${summary.refused} refused by the server, ${summary.skipped} lines skipped`,
      );
      if (summary.skipped > 0 || summary.refused > 0) throw new CommanderError(1, "rivulet.partly", "");
    });

  program
    .command("redrive <payload...>")
    .description(
      "put batches that Lambda gave up back into the stream: files from the failures bucket, or directories of them",
    )
    .requiredOption("--stream <kinesis:name>", "the stream that the consumer reads")
    .action(async (payloads: string[], flags: { stream: string }) => {
      const stream = await openKinesis(flags.stream);
      try {
        const { files, records } = await redrive(payloads, { stream, log });
        print(
          `${records} records of ${files} batches put into the stream; delete the objects once they are counted`,
        );
      } finally {
        await stream.close();
      }
    });

  addImport(program, terminal);
  addManagement(program, terminal);
  addSnippet(program, terminal);
  addRebuild(program, terminal);
  addCost(program, terminal);
  addSimulate(program, terminal);
  addTrace(program, terminal);
}
