/**
 * Delivers batches at least once. Batches go out directly until one fails; from then on they wait in the
 * store, oldest first, and one tab of all those open works them off.
 */
import { guard } from "./guard.ts";
import { post, type Unsent } from "./send.ts";
import { api } from "./settings.ts";
import { store } from "./store.ts";

/** One key a batch, so that no tab ever overwrites what another one keeps, even without a lock. */
const PREFIX = `rivulet ${api} `;
/** A batch is some 500 characters and browsers give an origin about 5 million. */
const MAX_KEPT = 500;
const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 300_000;

let isDraining = false;

/** Sends `batch` now, or keeps it while the way is known to be blocked. */
export function deliver(batch: Unsent): void {
  if (isDraining || !navigator.onLine) keep(batch);
  else post(batch).then(guard((isDone) => isDone || keep(batch)));
}

/** Works off what earlier pages left behind. */
export function resume(): void {
  if (kept()[0]) drain(true);
}

export function forget(): void {
  for (const key of kept()) delete store[key];
}

/** Keys of all that waits, oldest first. */
const kept = (): string[] =>
  Object.keys(store)
    .filter((key) => key.startsWith(PREFIX))
    .sort();

function keep(batch: Unsent): void {
  const keys = kept();
  if (keys.length >= MAX_KEPT) delete store[keys[0]!];
  // The random part keeps two tabs apart that fail within one millisecond.
  store[PREFIX + Date.now() + Math.random()] = batch;
  drain();
}

/** `isOpen`: nothing says that the next attempt would fail, so it need not wait. */
function drain(isOpen?: boolean): void {
  if (isDraining) return;
  isDraining = true;
  const work = async () => {
    let delayMs = FIRST_DELAY_MS;
    let key: string | undefined;
    for ([key] = kept(); key; [key] = kept()) {
      if (isOpen && (await post(store[key]!))) {
        delete store[key];
        delayMs = FIRST_DELAY_MS;
      } else {
        // Jitter, so that all the visitors of a site do not return in the same second after an outage.
        const waitMs = delayMs * (0.5 + Math.random());
        delayMs = Math.min(delayMs * 2, MAX_DELAY_MS);
        isOpen = true;
        await new Promise((resolve) => {
          setTimeout(resolve, waitMs);
          addEventListener("online", resolve);
        });
      }
    }
    // In the same step as the last look into the store, so that no batch can fall between.
    isDraining = false;
  };
  // The other tabs wait for the lock and inherit it when this one closes. Plain http has no locks:
  // there two tabs may send the same batch, and the server tells by its id.
  if (navigator.locks) navigator.locks.request(PREFIX, work).catch(work);
  else work();
}
