/** What the canary asks, and how it asks the function that answers readers where they need a key. */
import { CANARY_SITE } from "../env.ts";

/**
 * An event that API Gateway never makes, whatever a client sends, since all of a request lies below its own keys: only who
 * may invoke the function sends it.
 */
export interface CanaryQuestion {
  /** The path of the page that was clicked. */
  readonly canary: string;
}

export interface CanaryAnswer {
  /** Page views of that page in the last half hour. */
  readonly clicks: number;
}

export const isCanaryQuestion = (event: object): event is CanaryQuestion => "canary" in event;

/** The question for the page views of one page, as readers ask it: of the canary's site and no other. */
export const clicksOn = (page: string): object => ({
  site_id: CANARY_SITE,
  metrics: ["pageviews"],
  date_range: "realtime",
  filters: [["is", "event:page", [page]]],
});

/** How often the page was viewed, by the answer to that question. */
export const clicksIn = ({
  results,
}: {
  readonly results: readonly { readonly metrics: readonly unknown[] }[];
}): number => Number(results[0]?.metrics[0] ?? 0);
