/**
 * Delivers batches at least once. Batches go out directly until one fails; from then on they wait in the
 * store, oldest first, and one tab of all those open works them off. What a page leaves to the next one waits there too.
 */
import { on } from "./guard.ts";
import { post, type Unsent } from "./send.ts";
import { api, isAllowed } from "./settings.ts";
import { store, uniqueId } from "./store.ts";

/** One key a batch, so that no tab ever overwrites what another one keeps, even without a lock. */
// biome-ignore lint/style/useTemplate: three bytes
const PREFIX = "rivulet " + api;
/** A batch is some 500 characters and browsers give an origin about 5 million. */
const MAX_KEPT = 500;
const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 300_000;
/** Of what the store has no room for. */
const FULL_DELAY_MS = 60_000;

/** The key of what is sent again just now. */
let draining: string | undefined;

/** Sends `batch` now, and with it the oldest that waits; or keeps it while the way is known to be blocked. */
export const deliver = async (batch: Unsent): Promise<void> => {
  // Not after the visitor has said no, here or meanwhile.
  if (!isAllowed()) return;
  if (draining) return keep(batch);
  // Under its own id, so that it may be sent again alone. Nothing is ever kept under the prefix itself.
  const [key = PREFIX] = kept();
  batch.q = store[key]!;
  if (await post(JSON.stringify(batch))) {
    delete store[key];
    drain();
  } else keep(batch);
};

/** Leaves `batch` to the next page. Throws where the store is full. */
export const leave = (batch: Unsent): void => {
  if (isAllowed()) store[PREFIX + uniqueId()] = JSON.stringify(batch);
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
    const [key] = kept();
    const text = store[key!]!;
    if (kept()[MAX_KEPT - 1]) {
      // What gives way is counted, and so is what had given way to it. Others write here too: it goes before it is read.
      delete store[key!];
      const { e, d } = JSON.parse(text) as Unsent;
      batch.d += d + e.length;
    }
    leave(batch);
    drain();
  } catch {
    // The store is full of what others keep there: it waits here, and lives as long as the page.
    setTimeout(deliver, FULL_DELAY_MS, batch);
  }
};

/** Works off what waits, also what earlier pages left behind. */
const drain = async (): Promise<void> => {
  // biome-ignore lint/suspicious/noAssignInExpressions: every byte here travels with every page
  if (draining || !(draining = kept()[0])) return;
  const work = async () => {
    let delayMs = FIRST_DELAY_MS;
    for (;;) {
      await new Promise((resolve) => {
        // Jitter, so that all the visitors of a site do not return in the same second after an outage.
        setTimeout(resolve, delayMs * (0.5 + Math.random()));
        on("online", resolve);
      });
      // In the same step as the look into the store, so that no batch can fall between.
      // biome-ignore lint/suspicious/noAssignInExpressions: as above
      if (!(draining = kept()[0])) return;
      if (await post(store[draining]!)) {
        delete store[draining];
        delayMs = 0;
      } else delayMs = ((delayMs * 2) % MAX_DELAY_MS) + FIRST_DELAY_MS;
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
