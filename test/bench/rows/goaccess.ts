/** The fold beside GoAccess, which counts the same events as lines of an access log. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Benchmark } from "../benchmark.ts";
import { type Corpus, makeCorpus } from "../corpus.ts";
import { cpuMs, sideBySide } from "../measure.ts";
import { folder, RECORDS_A_COMMIT } from "./fold.ts";

const EVENTS = 40_000;
/** The middle of 17,000 to 27,000 lines a second, measured with version 1.9 on a machine of this kind. */
const RECORDED_LINES_A_SECOND = 22_000;

const goaccess: Benchmark = {
  id: "fold-goaccess",
  what: "full aggregation, one core: events per second of processor time",
  against: "GoAccess on the same events as an access log, lines per second of processor time",
  unit: "/s",
  better: "higher",
  floor: 15,
  aim: 30,
  async run({ budgetMs, seed, directory, note }) {
    const corpus = makeCorpus({ seed, events: EVENTS });
    const version = versionAtHand();
    note(
      `fold-goaccess: ${version ?? "no goaccess on this machine, so its figure is one recorded earlier, of 17,000 to 27,000 lines a second"}`,
    );
    const log = join(directory, "access.log");
    writeFileSync(log, accessLog(corpus));
    const count = async (): Promise<number> => {
      const worker = await folder(corpus);
      const ms = await cpuMs(async () => {
        while (worker.left > 0) await worker.fold(RECORDS_A_COMMIT);
      });
      return (corpus.events * 1_000) / ms;
    };
    const baseline =
      version === undefined ? () => RECORDED_LINES_A_SECOND : () => readLog(log, corpus.events);
    return sideBySide({ subject: count, baseline, runs: 5 }, budgetMs);
  },
};

function versionAtHand(): string | undefined {
  try {
    return execFileSync("goaccess", ["--version"], { encoding: "utf8" }).split("\n", 1)[0]!;
  } catch {
    return undefined;
  }
}

/** Lines per second of processor time; the shell counts that of a child. */
function readLog(log: string, lines: number): number {
  const report = `${log}.json`;
  const times = execFileSync(
    "bash",
    [
      "-c",
      'TIMEFORMAT="%U %S"; { time goaccess "$1" --log-format=COMBINED --no-global-config --no-progress -o "$2" >/dev/null 2>&1 </dev/null; } 2>&1',
      "time",
      log,
      report,
    ],
    { encoding: "utf8" },
  );
  const [user, system] = times.trim().split(" ").map(Number);
  return lines / (user! + system!);
}

/** The combined format: what a web server would have written of the same page views and events. */
function accessLog({ lines }: Corpus): string {
  const text = Buffer.from(lines).toString().split("\n");
  return `${text
    .map((line) => {
      const { at, ip, ua, u, r } = JSON.parse(line) as Record<string, string>;
      const time = new Date(Number(at))
        .toUTCString()
        .replace(/^\w+, (\d+) (\w+) (\d+) (\S+) GMT$/, "$1/$2/$3:$4 +0000");
      const path = new URL(u ?? "/", "https://shop.example").pathname;
      return `${ip} - - [${time}] "GET ${path} HTTP/1.1" 200 1024 "${r || "-"}" "${ua}"`;
    })
    .join("\n")}\n`;
}

export const benchmarks: readonly Benchmark[] = [goaccess];
