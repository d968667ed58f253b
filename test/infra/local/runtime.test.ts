/** What a start makes of the data that it finds. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openStore, openStream } from "../../../infra/local/opening.ts";
import { systemClock } from "../../../processors/clock.ts";
import { keyedHash } from "../../../processors/crypto.ts";
import { ShardWorker } from "../../../processors/pipeline/aggregate.ts";
import { manualClock } from "../../kit/clock.ts";
import { temporaryDirectory } from "../../kit/temporary.ts";

const directory = temporaryDirectory();

it("reads what is put after the stream's file was lost: its numbers go on after those that were counted", async () => {
  const places = { dataDirectory: directory, log: () => {} };
  const store = await openStore(places, systemClock);
  const data = new TextEncoder().encode("{}");
  // By another clock numbers would go on after its time.
  const clock = manualClock(0);
  const counted = await openStream(places, store, clock);
  const { shard, sequence } = await counted.put({ partitionKey: "a", data });
  const worker = new ShardWorker(
    {
      store,
      clock: systemClock,
      hash: keyedHash,
      randomBytes: (length) => new Uint8Array(length),
      country: () => "",
    },
    { id: shard, parents: [] },
  );
  await worker.process((await counted.read(shard, "", 10)).records);
  await counted.close();
  for (const end of ["", "-wal", "-shm"]) rmSync(join(directory, `stream.db${end}`), { force: true });

  const stream = await openStream(places, store, clock);
  await stream.put({ partitionKey: "a", data });
  const { records } = await stream.read(shard, await worker.lastSequence(), 10);
  expect(records.map((record) => Number(record.sequence))).toEqual([Number(sequence) + 1]);
  await stream.close();
  await store.close();
});
