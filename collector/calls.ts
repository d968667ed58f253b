/** What pages call: the types of `window.rivulet`, the same for every build. */
import type { WireEvent } from "../processors/model/event.ts";

export interface EventOptions {
  /** Flat: strings, numbers, booleans. */
  props?: WireEvent["p"];
  revenue?: WireEvent["$"];
  /** false: does not end a bounce. */
  interactive?: boolean;
  /** Web vitals, by the optional chunk that measures them. */
  m?: WireEvent["m"];
}
export type Call = [name: string, options?: EventOptions];

export interface Rivulet {
  /** Counts a custom event on the current page. Never throws. */
  (name: string, options?: EventOptions): void;
  /** The visitor's lasting choice: false stops and forgets what is not sent yet, true counts in spite of privacy signals. */
  consent(yes: boolean): void;
  /** Where the stub puts calls made before the script had loaded. */
  q: { push(call: Call): void };
}
declare global {
  interface Window {
    rivulet?: Rivulet;
  }
}
