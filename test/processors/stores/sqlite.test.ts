import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqliteStore } from "../../../processors/stores/sqlite.ts";
import { describeStore } from "../../conformance/store.ts";

describeStore("sqlite", async (clock) =>
  sqliteStore({ path: join(mkdtempSync(join(tmpdir(), "rivulet-")), "new/store.db"), clock }),
);
