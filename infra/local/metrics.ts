/** The counters of a running server as Prometheus reads them (text format 0.0.4). */
import { REJECT_REASONS } from "../../processors/model/event.ts";
import type { Counters } from "../../processors/pipeline/state.ts";

export interface ServerMetrics {
  /** Counted in the commit log, so exactly once and across restarts. */
  readonly counters: Counters;
  /** Refused by the gateway before the stream, since this process began; by reason. */
  readonly refused: Readonly<Record<string, number>>;
  readonly commits: number;
  readonly reconciled: { readonly events: number; readonly difference: number; readonly windows: number };
  readonly lagMs: number;
  readonly residentBytes: number;
}

export function renderMetrics({
  counters,
  refused,
  commits,
  reconciled,
  lagMs,
  residentBytes,
}: ServerMetrics): string {
  const lines: string[] = [];
  const metric = (
    name: string,
    type: "counter" | "gauge",
    help: string,
    samples: readonly (readonly [labels: string, value: number])[],
  ): void => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const [labels, value] of samples) lines.push(`${name}${labels} ${value}`);
  };
  metric("rivulet_batches_total", "counter", "Batches counted.", [["", counters.batches]]);
  metric("rivulet_events_total", "counter", "Events and reports (engagement, web vitals) counted.", [
    ["", counters.events],
  ]);
  metric(
    "rivulet_rejects_total",
    "counter",
    "Input refused, by reason: events and reports, or 1 for a body that could not be read.",
    REJECT_REASONS.map(
      (reason) => [`{reason="${reason}"}`, (counters.rejects[reason] ?? 0) + (refused[reason] ?? 0)] as const,
    ),
  );
  metric(
    "rivulet_duplicates_total",
    "counter",
    "Events and reports of batches that had been counted already.",
    [["", counters.rejects.duplicate ?? 0]],
  );
  metric(
    "rivulet_late_events_total",
    "counter",
    "Events and reports counted after their window had closed.",
    [["", counters.late]],
  );
  metric("rivulet_records_total", "counter", "Stream records folded.", [["", counters.records]]);
  metric("rivulet_commits_total", "counter", "Commits in the log of all shards.", [["", commits]]);
  metric(
    "rivulet_reconciled_events_total",
    "counter",
    "Events (page views and custom events, no reports) recounted from the stream.",
    [["", reconciled.events]],
  );
  metric(
    "rivulet_reconciliation_difference_events",
    "gauge",
    "Events (no reports) by which live numbers and recount differ; expected 0.",
    [["", reconciled.difference]],
  );
  metric(
    "rivulet_reconciliation_difference_windows",
    "gauge",
    "Windows in which live numbers and recount differ; expected 0.",
    [["", reconciled.windows]],
  );
  metric(
    "rivulet_lag_seconds",
    "gauge",
    "How long the oldest record that is not counted yet has been waiting.",
    [["", lagMs / 1000]],
  );
  metric("process_resident_memory_bytes", "gauge", "Resident memory.", [["", residentBytes]]);
  return `${lines.join("\n")}\n`;
}
