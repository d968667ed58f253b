/** Adds `cost` to the program: what a recorded stream would cost on AWS. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { ClickstreamError } from "../../../processors/errors.ts";
import { parseStreamLine, type StreamLine } from "../../../processors/model/streamfile.ts";
import { PRICED_AT } from "../../prices.ts";
import { linesOf } from "../replay.ts";
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
    if (!(value >= least && value <= 1e12))
      throw new InvalidArgumentError(`${text} is not a number from ${least} on`);
    return value;
  };

export function addCost(program: Command): void {
  program
    .command("cost <file>")
    .description(
      "say what a recorded stream would cost a month on AWS: played through the real consumer, counted, priced",
    )
    .option(
      "--views <number>",
      "page views a month; the recording is stretched to that rate",
      atLeast(1),
      1_000_000,
    )
    .option(
      "--shards <number>",
      "shards of the stream, or on-demand",
      (text) => (text === "on-demand" ? text : atLeast(1)(text)),
      1,
    )
    .option(
      "--dashboard-hours <number>",
      "hours a month in which somebody watches",
      atLeast(0),
      ASSUMED.dashboardHours,
    )
    .option("--direct", "as deployed with -c direct=true: clicks go around CloudFront", ASSUMED.direct)
    .addOption(
      new Option("--tracing <what>", "as deployed with -c tracing")
        .choices(["all", "clicks"])
        .default(ASSUMED.tracing),
    )
    .option("--json", "print the lines as JSON", false)
    .action(async (file: string, { views, shards, dashboardHours, direct, tracing, json }: Flags) => {
      // The whole consumer: only for those who ask.
      const { measure } = await import("./measure.ts");
      const usage = await measure(await recording(file), {
        viewsPerMonth: views,
        shards: shards === "on-demand" ? 4 : shards,
      });
      const assumed: Assumptions = { ...ASSUMED, shards, dashboardHours, direct, tracing };
      const due = bill(usage, views, assumed);
      console.log(
        json
          ? JSON.stringify({ pricedAt: PRICED_AT, assumed, usage, ...due }, null, 2)
          : renderBill(due, assumed),
      );
      if (!json) console.log(`List prices of us-east-1 as of ${PRICED_AT}, without free tiers and taxes.`);
    });
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
