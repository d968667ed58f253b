/** Runs one task again and again on demand: never twice at a time, never more than half of the time. Knows not what it runs. */

/** Refreshes start at most this often; a slow server is asked no more than half of the time. */
const REFRESH_MS = 1_000;

export interface Refresher {
  /** Drops what is under way, because it is for another question, and starts at once. */
  now(): void;
  /** Starts soon; while one runs, or pauses after it, the wish is kept and served next. */
  soon(): void;
  /** Drops what is under way and forgets every wish. */
  stop(): void;
}

/** `task` must reject only with what `failed` takes; an aborted one may do as it likes. */
export function refresher(
  task: (signal: AbortSignal) => Promise<void>,
  failed: (error: unknown) => void,
): Refresher {
  let running = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isRunning = false;
  let isWanted = false;

  async function run(): Promise<void> {
    timer = undefined;
    running = new AbortController();
    const { signal } = running;
    const began = performance.now();
    isRunning = true;
    isWanted = false;
    try {
      await task(signal);
    } catch (error) {
      if (!signal.aborted) failed(error);
    } finally {
      if (!signal.aborted) {
        isRunning = false;
        const took = performance.now() - began;
        timer = setTimeout(
          () => {
            timer = undefined;
            if (isWanted) void run();
          },
          Math.max(REFRESH_MS - took, took),
        );
      }
    }
  }

  function stop(): void {
    running.abort();
    clearTimeout(timer);
    isRunning = isWanted = false;
    timer = undefined;
  }

  return {
    now() {
      stop();
      void run();
    },
    soon() {
      isWanted = true;
      if (!isRunning && timer === undefined) void run();
    },
    stop,
  };
}
