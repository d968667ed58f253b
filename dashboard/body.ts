/** What the inside of a panel is given and what it answers: the contract between a panel and its tabs. Types only. */
import type { Filter, FunnelQuestion, QueryAnswer, QueryMeta } from "./answers.ts";
import type { Progress } from "./api.ts";
import type { Tab } from "./breakdowns.ts";
import type { Condition } from "./filters.ts";
import type { View } from "./view.ts";

export interface AskOptions {
  /** Absent: totals. */
  readonly dimension?: string;
  readonly metrics: readonly string[];
  readonly limit?: number;
  readonly offset?: number;
  /** Besides the viewer's own conditions. */
  readonly only?: readonly Filter[];
  readonly order?: readonly (readonly [by: string, direction: "asc" | "desc"])[];
  readonly countRows?: boolean;
}

/** Asks about the period and the conditions shown. Rejects with ApiError. */
export type Ask = (options: AskOptions, progress?: Progress) => Promise<QueryAnswer>;

/** What a panel is to show now. */
export interface PanelContext {
  readonly site: string;
  readonly question: FunnelQuestion;
  readonly ask: Ask;
  /** Aborted when the viewer asks for something else. */
  readonly signal: AbortSignal;
  /** Says how far the answer is, in place of the rows. */
  readonly progress: Progress;
  /** The address of the same answer as CSV, all rows. */
  readonly csv: (options: AskOptions) => string;
  readonly view: View;
  readonly conditions: readonly Condition[];
}

/** What a body says after it was filled. */
export interface Filled {
  /** Of the answer shown. */
  readonly meta?: QueryMeta | undefined;
  /** In place of rows: "" when there are some. */
  readonly message: string;
  /** There is more than what is shown. */
  readonly isCut?: boolean;
  /** What "Show all" and CSV ask for; absent where there is neither. */
  readonly all?: AskOptions;
}

/** The inside of a tab. Rejects with ApiError; the panel says why in its place. */
export interface Body {
  readonly node: HTMLElement;
  fill(context: PanelContext, tab: Tab): Promise<Filled>;
  /** Nothing to show: a refusal stands there instead. */
  clear(tab: Tab): void;
}
