/** Asks a server every question of the oracle and says where an answer differs. */
import { query } from "../kit/client.ts";
import type { Happening } from "./load.ts";
import { comparable, expectations } from "./oracle.ts";

/** Every row that differs, as a line to read; empty when all is exactly right. */
export async function differences(
  url: string,
  site: string,
  happenings: readonly Happening[],
): Promise<string[]> {
  const times = happenings.map(({ at }) => at);
  const date_range = [
    new Date(Math.min(...times)).toISOString(),
    new Date(Math.max(...times) + 60_000).toISOString(),
  ];
  const found: string[] = [];
  for (const { body, rows } of expectations(happenings)) {
    const { results, meta } = await query(url, { site_id: site, date_range, ...body });
    const name = body.dimensions[0] ?? "totals";
    for (const [metric, error] of Object.entries(meta.error))
      if (error !== 0) found.push(`${name}: ${metric} is not exact but ±${error}`);
    const answered = new Map(results.map((row) => [row.dimensions[0] ?? "", row.metrics]));
    for (const value of new Set([...rows.keys(), ...answered.keys()])) {
      body.metrics.forEach((metric, i) => {
        const wanted = JSON.stringify(rows.get(value)?.[i]);
        const got = JSON.stringify(comparable(answered.get(value)?.[i]));
        if (wanted !== got)
          found.push(`${name} ${JSON.stringify(value)}: ${metric} is ${got}, not ${wanted}`);
      });
    }
  }
  return found;
}
