/** The port to a query engine over the archive's files: it runs a statement, bound values apart from the text. */
import type { EpochMs } from "../model/time.ts";

/** A text that came from a request never stands in `text`: it is one of `values`, in the order of the question marks. */
export interface Statement {
  readonly text: string;
  readonly values: readonly Value[];
}
export type Value = string | number | readonly string[];

/** All as text, as every engine can write it; null where there is nothing. */
export type ResultRow = readonly (string | null)[];

/** Whose rows, and between which event times (half-open): what need not be opened is not opened. */
export interface Extent {
  readonly site: string;
  readonly from: EpochMs;
  readonly to: EpochMs;
}

/** How far a statement has come. */
export interface Progress {
  /** 0 to 1; undefined where the engine cannot say. */
  readonly done: number | undefined;
  readonly elapsedMs: number;
}

/** Either all rows, or how far it has come; the same statement again goes on waiting for the same run. */
export type Outcome =
  | { readonly rows: readonly ResultRow[] }
  | { readonly rows: undefined; readonly progress: Progress };

/** What FROM names. */
export interface Source extends Statement {
  /** Rows may stand in it twice; dropping repeats means sorting all of them, which need not be where none are. */
  readonly mayRepeat: boolean;
}

/** What FROM names, undefined where nothing is kept of that extent; or how far looking for it has come. */
export type Found =
  | { readonly source: Source | undefined; readonly progress?: undefined }
  | { readonly progress: Progress };

export interface Explorer {
  readonly dialect: "duckdb" | "trino";
  /** Waits at most `waitMs`; the same extent again goes on waiting. Throws as `run` does. */
  source(extent: Extent, waitMs: number): Promise<Found>;
  /**
   * Runs a statement, or goes on with it, and waits at most `waitMs` for its rows. Throws `bad_request` where it takes
   * longer, more bytes or more memory than this engine allows, with the limit in the message; `unavailable` or
   * `throttled` on an outage.
   */
  run(statement: Statement, waitMs: number): Promise<Outcome>;
  close(): Promise<void>;
}
