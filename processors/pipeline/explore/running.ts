/** What is thrown where an answer takes longer than a request waits. Whoever speaks HTTP makes a 202 of it. */
import { ClickstreamError } from "../../errors.ts";
import type { Progress } from "../../explorers/explorer.ts";

/** The archive is still being read, and goes on being read: the same request again waits for the same answer. */
export class StillRunning extends ClickstreamError {
  readonly progress: Progress;

  constructor(progress: Progress) {
    super("unavailable", "the archive is still being read: send the same request again");
    this.name = "StillRunning";
    this.progress = progress;
  }

  /** The body of a 202. */
  get told(): { readonly progress: { readonly done: number | null; readonly elapsed_ms: number } } {
    const { done, elapsedMs } = this.progress;
    return { progress: { done: done ?? null, elapsed_ms: elapsedMs } };
  }
}
