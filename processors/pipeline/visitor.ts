/**
 * Who a visitor is without knowing who they are: a keyed hash of site, address and agent with a random salt of the
 * day that is destroyed after 48 hours. Raw addresses and agents never leave this module's arguments.
 */
import { ClickstreamError } from "../errors.ts";
import { type Clock, DAY_MS, type EpochMs } from "../model/time.ts";
import type { Store } from "../stores/store.ts";

/** A keyed one-way hash: 16 hex digits (64 bits). */
export type KeyedHash = (key: Uint8Array, text: string) => string;

const SALT_BYTES = 16;
const PK = "salt";
const IDENTITY = "identity";

/** Number of the UTC day that owns `at`. */
export const dayOf = (at: EpochMs): number => Math.floor(at / DAY_MS);

/** Daily salts, made on first need, shared by all workers through the store, forgotten when they expire. */
export class Salts {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #randomBytes: (length: number) => Uint8Array;
  readonly #known = new Map<string, { salt: Uint8Array; expiresAt: EpochMs }>();

  constructor(deps: { store: Store; clock: Clock; randomBytes: (length: number) => Uint8Array }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#randomBytes = deps.randomBytes;
  }

  /** Makes the salts of these days, and the lasting one for ids that a site owner chose to store, available to `of`. */
  async load(days: Iterable<number>): Promise<void> {
    const now = this.#clock.now();
    for (const [name, { expiresAt }] of this.#known) if (expiresAt <= now) this.#known.delete(name);
    await this.#load(IDENTITY, Number.POSITIVE_INFINITY);
    // A salt lives until the end of the next day, because yesterday's salt bridges midnight. The salt of a day long
    // past (an import, a replay) lives 48 hours from its making.
    for (const day of days) {
      const born = day * DAY_MS;
      await this.#load(String(day), born + 2 * DAY_MS > now ? born + 2 * DAY_MS : now + 2 * DAY_MS);
    }
  }

  async #load(name: string, expiresAt: EpochMs): Promise<void> {
    if (this.#known.has(name)) return;
    const key = { pk: PK, sk: name };
    for (let tries = 0; tries < 10; tries++) {
      const item = await this.#store.get(key);
      if (item) {
        this.#known.set(name, { salt: item.value, expiresAt: item.expiresAt ?? expiresAt });
        return;
      }
      const salt = this.#randomBytes(SALT_BYTES);
      const lasting = expiresAt === Number.POSITIVE_INFINITY;
      await this.#store.put({ ...key, value: salt, ...(lasting ? {} : { expiresAt }) }, 0);
    }
    throw new ClickstreamError("unavailable", `the salt of day ${name} could neither be read nor made`);
  }

  of(day: number): Uint8Array {
    return this.#salt(String(day));
  }

  get identity(): Uint8Array {
    return this.#salt(IDENTITY);
  }

  #salt(name: string): Uint8Array {
    const known = this.#known.get(name);
    if (!known)
      throw new ClickstreamError(
        "invariant",
        `salt ${name} was not loaded, loaded are ${[...this.#known.keys()]}`,
      );
    return known.salt;
  }
}

/** Length prefixes, because an agent may contain any separator that we could choose. */
function joined(parts: readonly string[]): string {
  let text = "";
  for (const part of parts) text += `${part.length}:${part}`;
  return text;
}

/** Cookieless visitor id: not linkable across days or sites. */
export const cookielessId = (
  hash: KeyedHash,
  salt: Uint8Array,
  site: string,
  ip: string,
  agent: string,
): string => hash(salt, joined(["net", site, ip, agent]));

/** Id of a visitor whom the site owner chose to recognise. */
export const storedId = (hash: KeyedHash, salt: Uint8Array, site: string, visitor: string): string =>
  hash(salt, joined(["id", site, visitor]));
