/** A store in front of another, whose calls meet the fates that a plan decides. Knows nothing of what is stored. */
import { ClickstreamError } from "../../../processors/errors.ts";
import type { Store } from "../../../processors/stores/store.ts";
import type { Call, Plan } from "./fate.ts";

/** Writes that left their writer and have not reached the store: they land when told to, in any order, or never. */
export class LateWrites {
  readonly #waiting: { readonly key: string; readonly land: () => Promise<unknown> }[] = [];

  get size(): number {
    return this.#waiting.length;
  }

  add(key: string, land: () => Promise<unknown>): void {
    this.#waiting.push({ key, land });
  }

  /** Lets one land; by default the oldest. Returns what it was about, undefined when there was none. */
  async land(index = 0): Promise<string | undefined> {
    const [write] = this.#waiting.splice(index, 1);
    await write?.land();
    return write?.key;
  }
}

export interface FaultyStoreOptions {
  /** Takes the writes whose fate is `hold`; without it they are lost. */
  readonly late?: Pick<LateWrites, "add">;
  /** Called once when the client behind this wrapper has crashed. */
  readonly died?: () => void;
}

/** The wrapped store is not closed by `close`: others use it too, as they use a service. */
export function faultyStore(store: Store, plan: Plan, { late, died }: FaultyStoreOptions = {}): Store {
  let number = 0;
  let isDead = false;
  const die = (): Promise<never> => {
    if (!isDead) died?.();
    isDead = true;
    return new Promise(() => {});
  };
  const call = async <T>(name: Call["name"], key: string, work: () => Promise<T>): Promise<T> => {
    if (isDead) return die();
    const writes = name === "put" || name === "delete";
    const asked: Call = { number: ++number, name, key, writes, records: 0 };
    const fate = await plan(asked);
    const said = `injected ${fate} at store call ${asked.number} (${name} ${key})`;
    switch (fate) {
      case "throttle":
        throw new ClickstreamError("throttled", said);
      case "hold":
        if (writes) late?.add(`${name} ${key}`, work);
        throw new ClickstreamError("unavailable", said);
      case "fail":
        throw new ClickstreamError("unavailable", said);
      case "timeout":
        await work();
        throw new ClickstreamError("unavailable", said);
      case "crash":
        return die();
      case "crash-after":
        await work();
        return die();
      default:
        return work();
    }
  };
  return {
    get: (key) => call("get", `${key.pk} ${key.sk}`, () => store.get(key)),
    getMany: (keys) => call("getMany", keys[0]?.pk ?? "", () => store.getMany(keys)),
    list: (pk, range) => call("list", pk, () => store.list(pk, range)),
    put(item, expected) {
      // The caller may use its buffer again while the write is held back.
      const sent = { ...item, value: item.value.slice() };
      return call("put", `${item.pk} ${item.sk}`, () => store.put(sent, expected));
    },
    delete: (keys) => call("delete", keys[0]?.pk ?? "", () => store.delete(keys)),
    close: async () => {},
  };
}
