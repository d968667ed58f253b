/** The shapes of what the reading API is asked and answers, as far as the page uses them. Types only. */

export type MetricValue = number | string | null | { readonly value: number; readonly currency?: string };

export interface QueryRequest {
  readonly site_id: string;
  readonly metrics: readonly string[];
  readonly date_range: string | readonly [string, string];
  readonly dimensions?: readonly string[];
  readonly filters?: readonly Filter[];
  readonly order_by?: readonly (readonly [by: string, direction: "asc" | "desc"])[];
  readonly include?: { readonly time_labels?: boolean; readonly total_rows?: boolean };
  readonly pagination?: { readonly limit: number; readonly offset: number };
}

export type Filter = readonly [
  operator: string,
  dimension: string,
  values: readonly string[],
  modifiers?: { readonly case_sensitive: boolean },
];

export interface QueryMeta {
  /** Event time, epoch ms, up to which windows are final. */
  readonly complete_until?: number;
  readonly lag_ms?: number;
  /** Relative standard error by metric; absent or 0 means exact. */
  readonly error?: Readonly<Record<string, number>>;
  readonly metric_warnings?: Readonly<Record<string, { readonly code: string }>>;
  readonly time_labels?: readonly string[];
  /** Rows before pagination, where they were asked for. */
  readonly total_rows?: number;
  /** Events of the range that came after their minute was final; they are counted. */
  readonly late?: number;
  /** What answered: rollups, or the archive of all events. */
  readonly source?: string;
  /** From when on data are kept, epoch ms, where the question reached before it. */
  readonly kept_from?: number;
}

export interface QueryAnswer {
  readonly results: readonly {
    readonly metrics: readonly MetricValue[];
    readonly dimensions: readonly string[];
  }[];
  readonly meta: QueryMeta;
  /** The query as the server understood it; every range comes back resolved to two ISO times with their offset. */
  readonly query: { readonly date_range: readonly [string, string] };
}

export interface LiveMinute {
  /** Epoch ms of the window's start. */
  readonly start: number;
  readonly visitors: number;
  readonly pageviews: number;
  readonly events: number;
  /** True while late events may still change the window. */
  readonly provisional: boolean;
}

export interface LiveEvent {
  readonly at: number;
  readonly name: string;
  readonly page: string;
  readonly source: string;
  readonly country: string;
  readonly device: string;
  readonly browser: string;
  /** The id of its trace, where it was sampled. */
  readonly trace?: string;
}

export interface LiveAnswer {
  readonly site_id: string;
  readonly now: number;
  readonly time_zone: string;
  readonly current_visitors: number;
  readonly has_events: boolean;
  readonly minutes: readonly LiveMinute[];
  readonly latest: readonly LiveEvent[];
  readonly complete_until: number;
  readonly lag_ms: number;
  /** US dollars that a month like the last hour would cost; for owners, on AWS. */
  readonly month_cost?: number;
  /** Events of these minutes that came after their minute was final; they are counted. */
  readonly late?: number;
  /** What was refused in these minutes, by reason; absent where the server does not tell. */
  readonly rejected?: Readonly<Record<string, number>>;
  /** Absent where nothing is recounted. */
  readonly reconciled?: Reconciled;
  readonly error?: Readonly<Record<string, number>>;
}

/** Live numbers against a second count of the same records. */
export interface Reconciled {
  /** Epoch ms. */
  readonly until: number;
  /** Events live minus events recounted; expected 0. */
  readonly difference: number;
  /** Windows in which anything differs; expected 0. */
  readonly windows: number;
}

export interface Site {
  readonly site_id: string;
  readonly time_zone: string;
}

export type Goal = { readonly name?: string } & ({ readonly event: string } | { readonly page: string });
export type FunnelStep = { readonly goal: string } | { readonly page: string };
export interface Funnel {
  readonly name: string;
  readonly steps: readonly FunnelStep[];
}

export interface SiteSettings {
  readonly site_id: string;
  /** Of the settings; a change names the one that it is based on. */
  readonly version: number;
  readonly goals: readonly Goal[];
  readonly funnels: readonly Funnel[];
  /** Whether this page may change them, and make share links. */
  readonly may_write: boolean;
}

export interface SiteAbout extends SiteSettings {
  /** Whether the server keeps single events, which answer what its totals cannot. */
  readonly has_archive: boolean;
  /** Keys of the properties that events had lately. */
  readonly properties: readonly string[];
  /** Input refused in the last 30 minutes, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
  /** Names that requests gave and no site has; only for who may write, and only where the server sees requests. */
  readonly unknown_sites?: readonly { readonly site_id: string; readonly at: number }[];
  /** When the last request for this site came, whatever became of it; null for none since the server started. */
  readonly last_request_at?: number | null;
  /** Where pages report to, unless to this server's usual path: an address or a path. */
  readonly report_to?: string;
  /** Path of the collector, where it has a name of its own. */
  readonly script_at?: string;
}

export interface ShareLink {
  readonly id: string;
  readonly label: string;
  readonly created_at: number;
  readonly expires_at: number;
}

export type FunnelQuestion = Pick<QueryRequest, "site_id" | "date_range" | "filters">;

export interface FunnelAnswer {
  readonly steps: readonly {
    readonly label: string;
    readonly visitors: number;
    readonly conversion_rate: number;
    readonly drop_off: number;
  }[];
  readonly meta: QueryMeta;
}

/** As dashboard/world.ts makes it. */
export interface WorldMap {
  readonly width: number;
  readonly height: number;
  readonly shapes: Readonly<Record<string, string>>;
  readonly points: Readonly<Record<string, readonly [x: number, y: number]>>;
}

export type AlertKind = "spike" | "drop" | "above" | "below" | "silence" | "rejects" | "lag";

/** What a rule found, or that it is over. */
export interface Alert {
  readonly rule: string;
  readonly kind: AlertKind;
  readonly state: "firing" | "over";
  readonly since: number;
  readonly at: number;
  readonly value: number;
  readonly expected: number;
}
