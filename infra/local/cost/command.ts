/** Adds `cost` to the program: what a recorded stream would cost on AWS. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { ClickstreamError } from "../../../processors/errors.ts";
import { parseStreamLine, type StreamLine } from "../../../processors/model/streamfile.ts";
import { DAY_MS } from "../../../processors/model/time.ts";
import { PRICED_AT } from "../../prices.ts";
import { linesOf } from "../replay.ts";
import type { Output } from "../terminal.ts";
import { ASSUMED, type Assumptions, bill, renderBill } from "./bill.ts";

interface Flags {
  readonly views: number;
  readonly shards: number | "on-demand";
  readonly dashboardHours: number;
  readonly direct: boolean;
  readonly tracing: "all" | "clicks";
  readonly json: boolean;
}

const atLeast =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === "" || !(value >= least && value <= 1e12))
      throw new InvalidArgumentError(`${text} is not a number from ${least} on`);
    return value;
  };

/** Each is read each second of the recording, so thousands of them take their time. */
function shardCount(text: string): number | "on-demand" {
  if (text === "on-demand") return text;
  if (!/^[1-9]\d{0,3}$/.test(text))
    throw new InvalidArgumentError(`${text} is neither a whole number from 1 to 9999 nor on-demand`);
  return Number(text);
}

export function addCost(program: Command, { print }: Output): void {
  program
    .command("cost [file]")
    .description(
      "say what a recorded stream would cost a month on AWS: played through the real consumer, counted, priced. Without a file: a day of made-up visits",
    )
    .option(
      "--views <number>",
      "page views a month; the recording is stretched to that rate",
      atLeast(1),
      10_000_000,
    )
    .option("--shards <number>", "shards of the stream, or on-demand", shardCount, 1)
    .option(
      "--dashboard-hours <number>",
      "hours a month in which somebody watches",
      atLeast(0),
      ASSUMED.dashboardHours,
    )
    .option("--no-direct", "as deployed with -c direct=false: clicks come through CloudFront")
    .addOption(
      new Option("--tracing <what>", "as deployed with -c tracing")
        .choices(["all", "clicks"])
        .default(ASSUMED.tracing),
    )
    .option("--json", "print the lines as JSON", false)
    .action(
      async (file: string | undefined, { views, shards, dashboardHours, direct, tracing, json }: Flags) => {
        // The whole consumer: only for those who ask.
        const { measure } = await import("./measure.ts");
        const usage = await measure(file === undefined ? await madeUp() : await recording(file), {
          viewsPerMonth: views,
          shards: shards === "on-demand" ? 4 : shards,
        });
        const assumed: Assumptions = { ...ASSUMED, shards, dashboardHours, direct, tracing };
        const due = bill(usage, views, assumed);
        print(
          json
            ? JSON.stringify({ pricedAt: PRICED_AT, assumed, usage, ...due }, null, 2)
            : renderBill(due, assumed),
        );
        if (!json) print(`Prices of us-east-1 as of ${PRICED_AT}, without taxes.`);
      },
    );
}

/**
 * A day of the demo's visitors: two pages a visit on average, goals, robots, repeats, and three visits in four in browsers
 * that leave a page's report to the next (docs/collector.md).
 */
async function madeUp(): Promise<StreamLine[]> {
  const { generate } = await import("../../../test/kit/generate.ts");
  const from = Date.UTC(2026, 0, 5);
  return [...generate({ seed: 1, from, to: from + DAY_MS, events: 20_000, handsOver: 0.75 })];
}

async function recording(file: string): Promise<StreamLine[]> {
  const lines: StreamLine[] = [];
  let number = 0;
  for await (const text of linesOf(file)) {
    number += 1;
    if (text.trim() === "") continue;
    const line = parseStreamLine(text);
    if ("problem" in line) throw new ClickstreamError("config", `${file}:${number}: ${line.problem}`);
    lines.push(line);
  }
  return lines;
}
