/** Watches the rules for alerts each minute, as the scheduled function does on AWS. */
import type { Clock } from "../../processors/model/time.ts";
import type { Notifier } from "../../processors/notifiers/notifier.ts";
import { watch } from "../../processors/pipeline/alerts/watch.ts";
import type { QueryEngine } from "../../processors/pipeline/query/engine.ts";
import type { Store } from "../../processors/stores/store.ts";
import { type Repeated, repeat, untilStopped } from "./repeat.ts";

const EVERY_MS = 60_000;

export interface AlertingOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly engine: QueryEngine;
  readonly notifier: Notifier;
  /** Origin of the dashboard. */
  readonly url: string;
  readonly log: (line: string) => void;
}

export const startAlerting = (options: AlertingOptions): Repeated =>
  repeat({ name: "alerts", everyMs: EVERY_MS, log: options.log }, (signal) =>
    watch({ ...options, store: untilStopped(options.store, signal), signal }),
  );
