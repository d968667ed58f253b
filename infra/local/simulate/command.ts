/** Adds `simulate` to the program: what a deployment would do under a load, from a site's first click to a million a second. */
import { type Command, InvalidArgumentError } from "commander";
import { MONTH_SECONDS, PRICES } from "../../prices.ts";
import type { Output } from "../terminal.ts";
import { MEASURED, type Report, simulate } from "./model.ts";

interface Flags {
  readonly rps?: number;
  readonly shards?: number;
  readonly splitAt?: number;
  readonly seed: number;
  readonly json: boolean;
}

const LOADS = [10, 100, 1_000, 10_000, 100_000, 1_000_000];

const positive = (text: string): number => {
  const value = Number(text);
  if (!(value > 0 && value <= 1e8)) throw new InvalidArgumentError(`${text} is not a number above zero`);
  return value;
};

/** A simulation is of one minute. */
const second = (text: string): number => {
  if (!/^[1-5]?\d$/.test(text)) throw new InvalidArgumentError("a second of the minute, 0 to 59");
  return Number(text);
};

export function addSimulate(program: Command, { print }: Output): void {
  program
    .command("simulate")
    .description("say how fresh, how busy and how dear a deployment would be under a load, by simulation")
    .option("--rps <number>", "events a second; default: from 10 to a million", positive)
    .option("--shards <number>", "shards; default: as many as the load needs", positive)
    .option("--split-at <second>", "split every shard in two at this second of the minute", second)
    .option("--seed <number>", "of the arrivals", positive, 1)
    .option("--json", "print the reports as JSON", false)
    .action(({ rps, shards, splitAt, seed, json }: Flags) => {
      const reports = (rps === undefined ? LOADS : [rps]).map((eventsPerSecond) =>
        simulate({
          eventsPerSecond,
          seed,
          shards: shards && Math.ceil(shards),
          splitAt,
        }),
      );
      print(json ? JSON.stringify({ parameters: MEASURED, reports }, null, 2) : render(reports));
    });
}

/** Dollars a month of the same load all month long: requests, shards, invocations, time and writes. */
export function monthlyDollars({
  requestsPerSecond,
  shards,
  invocationsPerSecond,
  busy,
  writeUnitsPerSecond,
}: Report): number {
  const month = MONTH_SECONDS;
  return (
    requestsPerSecond * month * (PRICES.apiRequest + PRICES.putUnit) +
    (shards * month * PRICES.shardHour) / 3_600 +
    invocationsPerSecond * month * PRICES.invocation +
    busy * shards * month * PRICES.gbSecond +
    writeUnitsPerSecond * month * PRICES.writeUnit
  );
}

function render(reports: readonly Report[]): string {
  const rows = [
    [
      "events/s",
      "shards",
      "counted p50",
      "p99",
      "worst",
      "throttled",
      "busy",
      "writes/s",
      "$/month",
      "$/M events",
    ],
    ...reports.map((report) => {
      const dollars = monthlyDollars(report);
      const perMillion = (dollars / (report.eventsPerSecond * MONTH_SECONDS)) * 1e6;
      return [
        report.eventsPerSecond.toLocaleString("en-US"),
        String(report.shards),
        `${Math.round(report.freshness.p50)} ms`,
        `${Math.round(report.freshness.p99)} ms`,
        `${Math.round(report.freshness.worst)} ms`,
        `${(report.throttled * 100).toFixed(1)} %`,
        `${Math.round(report.busy * 100)} %`,
        String(Math.round(report.writeUnitsPerSecond)),
        Math.round(dollars).toLocaleString("en-US"),
        perMillion.toFixed(2),
      ];
    }),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return [
    ...rows.map((row) => row.map((cell, column) => cell.padStart(widths[column]!)).join("  ")),
    "",
    ...reports.flatMap(({ eventsPerSecond, limits }) =>
      limits.map((limit) => `${eventsPerSecond.toLocaleString("en-US")} events/s: ${limit}`),
    ),
    `Assumed: ${Object.entries(MEASURED)
      .map(([name, value]) => `${name} ${value}`)
      .join(", ")}.`,
    "Counted: from the edge to the commit; a dashboard asks each second. Writes are those of commits; deleting them later costs",
    "about as much again, and compaction half as much at 10 events a second, less with more. A hot visitor is not simulated, traffic without days and nights is.",
  ].join("\n");
}
