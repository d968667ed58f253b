/**
 * Delivers batches at least once. Batches go out directly until one fails; from then on they wait in the
 * store, oldest first, and one tab of all those open works them off.
 */
import { on } from "./guard.ts";
import { post, type Unsent } from "./send.ts";
import { api, isAllowed } from "./settings.ts";
import { store, uniqueId } from "./store.ts";

/** One key a batch, so that no tab ever overwrites what another one keeps, even without a lock. */
const PREFIX = `rivulet ${api} `;
/** A batch is some 500 characters and browsers give an origin about 5 million. */
const MAX_KEPT = 500;
const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 300_000;
/** Of what the store has no room for. */
const FULL_DELAY_MS = 60_000;

let isDraining: boolean | undefined;

/** Sends `batch` now, or keeps it while the way is known to be blocked. */
export const deliver = (batch: Unsent): void => {
  // Not after the visitor has said no, here or meanwhile.
  if (!isAllowed()) return;
  if (isDraining) keep(batch);
  else post(JSON.stringify(batch)).then((isDone) => isDone || !isAllowed() || keep(batch));
};

/** Leaves nothing of ours in the store: no batch, no identity. */
export const forget = (): void => {
  kept("rivulet").map((key) => delete store[key]);
};

/** Keys of all that waits, oldest first; with `rivulet`, of all that is ours. */
const kept = (prefix = PREFIX): string[] =>
  Object.keys(store)
    .filter((key) => key.includes(prefix))
    .sort();

const keep = (batch: Unsent): void => {
  try {
    const keys = kept();
    if (keys[MAX_KEPT - 1]) {
      // What gives way is counted, and so is what had given way to it. Others write here too: it goes before it is read.
      const text = store[keys[0]!]!;
      delete store[keys[0]!];
      const { e, d } = JSON.parse(text) as Unsent;
      batch.d += d + e.length;
    }
    store[PREFIX + uniqueId()] = JSON.stringify(batch);
    drain();
  } catch {
    // The store is full of what others keep there: it waits here, and lives as long as the page.
    setTimeout(deliver, FULL_DELAY_MS, batch);
  }
};

/** Works off what waits, also what earlier pages left behind. */
export const drain = async (): Promise<void> => {
  if (isDraining || !kept()[0]) return;
  isDraining = true;
  const work = async () => {
    let delayMs = FIRST_DELAY_MS;
    for (;;) {
      await new Promise((resolve) => {
        // Jitter, so that all the visitors of a site do not return in the same second after an outage.
        setTimeout(resolve, delayMs * (0.5 + Math.random()));
        on("online", resolve);
      });
      const [key] = kept();
      // In the same step as the look into the store, so that no batch can fall between.
      // biome-ignore lint/suspicious/noAssignInExpressions: every byte here travels with every page
      if (!key) return (isDraining = false);
      if (await post(store[key]!)) {
        delete store[key];
        delayMs = 0;
      } else delayMs = Math.min(delayMs * 2 + FIRST_DELAY_MS, MAX_DELAY_MS);
    }
  };
  // The other tabs wait for the lock and inherit it when this one closes. Plain http has no locks:
  // there two tabs may send the same batch, and the server tells by its id.
  try {
    await navigator.locks.request(PREFIX, work);
  } catch {
    work();
  }
};
