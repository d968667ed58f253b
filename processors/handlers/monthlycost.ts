/** The note of what a month like the last hour would cost, between the function that makes it and the one that answers readers. */
import { type Clock, type EpochMs, HOUR_MS, MINUTE_MS } from "../model/time.ts";
import { decodeJson, encodeJson } from "../pipeline/json.ts";
import type { Store } from "../stores/store.ts";

const KEY = { pk: "operations", sk: "monthly-cost" };
/** Made each hour: after two that failed there is none rather than an old one. */
const KEPT_MS = 3 * HOUR_MS;
const REREAD_MS = 5 * MINUTE_MS;

interface Deps {
  readonly store: Pick<Store, "get" | "put">;
  readonly clock: Clock;
}

/** In US dollars. Whoever notes at the same time wins or loses: both are as true. */
export async function noteMonthlyCost({ store, clock }: Deps, dollars: number): Promise<void> {
  const version = (await store.get(KEY))?.version ?? 0;
  const value = encodeJson({ dollars });
  await store.put({ ...KEY, value, expiresAt: clock.now() + KEPT_MS }, version);
}

/** Whole dollars, at most five minutes old; undefined where nobody notes any. */
export function monthlyCosts({ store, clock }: Pick<Deps, "clock"> & { store: Pick<Store, "get"> }) {
  let readAt: EpochMs = Number.NEGATIVE_INFINITY;
  let known: Promise<number | undefined> = Promise.resolve(undefined);
  return (): Promise<number | undefined> => {
    if (clock.now() - readAt < REREAD_MS) return known;
    readAt = clock.now();
    known = store
      .get(KEY)
      .then((item) => item && Math.round(decodeJson<{ dollars: number }>(item.value).dollars));
    known.catch(() => {
      readAt = Number.NEGATIVE_INFINITY;
    });
    return known;
  };
}
