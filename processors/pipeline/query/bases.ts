/** Items as they were read, for who asks for another table of the same windows. */
import type { ItemBase } from "./items.ts";
import { Weighed } from "./weighed.ts";
import type { KeptWindow } from "./windows.ts";

const MAX_BYTES = 48 << 20;

export class ItemBases {
  readonly #bases = new Weighed<KeptWindow, ItemBase>(MAX_BYTES);

  get(window: KeptWindow): ItemBase | undefined {
    return this.#bases.get(window);
  }

  /** Not one whose tables lie apart, nor one that would push out most others. */
  keep(window: KeptWindow, base: ItemBase): void {
    this.#bases.delete(window);
    if (!base.rollup || base.apart || base.bytes > MAX_BYTES / 2) return;
    this.#bases.set(window, base, base.bytes);
  }

  delete(window: KeptWindow): void {
    this.#bases.delete(window);
  }

  clear(): void {
    this.#bases.clear();
  }
}
