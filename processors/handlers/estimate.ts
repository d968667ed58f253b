/** Lambda entry of the hourly estimate: notes what a month like the last hour would cost. A missed run leaves no note for long. */
import { estimateTermsOf } from "../env.ts";
import { noteMonthlyCost } from "./monthlycost.ts";
import { clock, store } from "./services.ts";

const terms = estimateTermsOf(process.env);

export async function handler(): Promise<{ readonly dollars: number }> {
  const { monthLikeLastHour } = await import("../metering.ts");
  const dollars = await monthLikeLastHour(terms, clock.now());
  await noteMonthlyCost({ store, clock }, dollars);
  return { dollars };
}
