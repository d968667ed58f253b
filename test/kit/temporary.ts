/** Temporary directories that go away with the test file. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** Makes an empty directory, removed after the tests of the file that asks. Call it at the top of that file. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "rivulet-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
