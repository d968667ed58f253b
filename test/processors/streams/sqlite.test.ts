import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqliteStream } from "../../../processors/streams/sqlite.ts";
import { describeStream } from "../../conformance/stream.ts";

describeStream("sqlite", async ({ clock, shards }) => ({
  stream: sqliteStream({
    path: join(mkdtempSync(join(tmpdir(), "rivulet-")), "new/store.db"),
    clock,
    shards,
  }),
  trims: true,
  usesClock: true,
}));
