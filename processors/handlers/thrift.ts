/**
 * Lambda entry of the budget's alarm: gathers clicks for longer while the estimate is over the budget, which makes fewer
 * commits of them, and as long as usual when it is not any more. Drops nothing, and running twice changes nothing.
 */
import { ENV, requireEnv, wholeNumberOf } from "../env.ts";

/** The part that is read of what an alarm's action gets. */
export interface AlarmAction {
  readonly alarmData: { readonly state: { readonly value: "OK" | "ALARM" | "INSUFFICIENT_DATA" } };
}

const mapping = requireEnv(process.env, ENV.mapping);
const usual = wholeNumberOf(process.env, ENV.usualWindow);
const thrifty = wholeNumberOf(process.env, ENV.thriftyWindow);

export async function handler({ alarmData }: AlarmAction): Promise<{ readonly seconds: number }> {
  const seconds = alarmData.state.value === "ALARM" ? thrifty : usual;
  const { setBatchingWindow } = await import("../eventsource.ts");
  await setBatchingWindow(mapping, seconds);
  return { seconds };
}
