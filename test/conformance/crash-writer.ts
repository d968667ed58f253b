/** A process to be killed: puts without end into the SQLite store or stream at argv[3], and prints what was acknowledged. */
import { writeSync } from "node:fs";
import { sqliteStore } from "../../processors/stores/sqlite.ts";
import { sqliteStream } from "../../processors/streams/sqlite.ts";

const [, , kind, path] = process.argv;
const clock = { now: () => Date.now() };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const putter = (): ((name: string) => Promise<void>) => {
  if (kind === "stream") {
    const stream = sqliteStream({ path: path!, clock });
    return async (name) => void (await stream.put({ partitionKey: name, data: bytes(`data of ${name}`) }));
  }
  const store = sqliteStore({ path: path!, clock });
  return async (name) =>
    void (await store.put({ pk: "crash", sk: name, value: bytes(`data of ${name}`) }, 0));
};

const put = putter();
let made = 0;
const lane = async (): Promise<void> => {
  for (;;) {
    const name = `record ${made++}`;
    await put(name);
    writeSync(1, `${name}\n`); // at once: what a pipe's buffer held would be lost with the process
  }
};
for (let i = 0; i < 16; i++) void lane();
