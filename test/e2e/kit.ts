/** A server with a data directory of its own for one test file, removed afterwards. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory under the system's temporary one, and its removal. */
export async function temporary(name: string): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `rivulet-${name}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
