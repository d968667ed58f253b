/** Asks for the live answer over and over: every second while somebody looks, seldom while hidden, backing off while away. */
import type { LiveAnswer } from "./answers.ts";
import { ApiError, liveClient } from "./api.ts";

export interface PollEvents {
  /** Something changed. */
  answer(live: LiveAnswer): void;
  /** The server answered and nothing changed. */
  unchanged(): void;
  failure(error: ApiError): void;
}

const VISIBLE_MS = 1_000;
const HIDDEN_MS = 15_000;
/** Failures in a row stretch the pause up to this, so that a server that comes back is not met by a stampede. */
const AWAY_MAX_MS = 5_000;

/** Polls until the returned function is called. Becoming visible asks at once. */
export function pollLive(siteId: string, on: PollEvents): () => void {
  const ask = liveClient(siteId);
  const ended = new AbortController();
  let failures = 0;
  let waitMs = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isAsking = false;

  async function turn(): Promise<void> {
    clearTimeout(timer);
    if (isAsking || ended.signal.aborted) return;
    isAsking = true;
    try {
      const answer = await ask(ended.signal);
      failures = waitMs = 0;
      if (ended.signal.aborted) return;
      if (answer) on.answer(answer);
      else on.unchanged();
    } catch (error) {
      if (ended.signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      failures++;
      waitMs = error.waitMs;
      on.failure(error);
    } finally {
      isAsking = false;
      if (!ended.signal.aborted) timer = setTimeout(turn, pause());
    }
  }

  const pause = (): number => {
    if (document.hidden) return HIDDEN_MS;
    return failures === 0 ? VISIBLE_MS : Math.max(waitMs, Math.min(AWAY_MAX_MS, VISIBLE_MS * failures));
  };
  const wake = (): void => {
    if (!document.hidden) void turn();
  };
  document.addEventListener("visibilitychange", wake);
  addEventListener("online", wake);
  void turn();
  return () => {
    clearTimeout(timer);
    ended.abort();
    document.removeEventListener("visibilitychange", wake);
    removeEventListener("online", wake);
  };
}
