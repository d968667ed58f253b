/** The notifier port: tells somebody outside of an alert. */
import type { EpochMs } from "../model/time.ts";

/** Everything that a receiver needs without asking back. */
export interface Alert {
  /** The same however often it is delivered, so that a receiver can drop a repeat. */
  readonly id: string;
  readonly rule: string;
  readonly site: string;
  readonly kind: string;
  readonly state: "firing" | "over";
  /** Since when it is so, and when it was found. */
  readonly since: EpochMs;
  readonly at: EpochMs;
  readonly value: number;
  readonly expected: number;
  /** All of the above in a sentence, for people. */
  readonly text: string;
  /** The view that shows it. */
  readonly url: string;
}

export interface Notifier {
  /**
   * Resolves when somebody has taken it. Throws `unavailable` or `throttled`: it is told again later; the former also when
   * `signal` says that nobody waits any longer.
   */
  notify(alert: Alert, to: { readonly webhook?: string; readonly signal?: AbortSignal }): Promise<void>;
}
