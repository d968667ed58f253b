/** What `rebuild` and `erase` print: what was folded or taken out, and which windows changed. Does nothing itself. */
import type { EpochMs } from "../../processors/model/time.ts";
import type { Erased } from "../../processors/pipeline/erasure.ts";
import type { WindowChange } from "../../processors/pipeline/rebuild/change.ts";
import type { RebuildReport } from "../../processors/pipeline/rebuild/rebuild.ts";
import type { RebuildAnswer } from "../../processors/pipeline/rebuild/steps.ts";
import type { Site } from "../../processors/pipeline/sites.ts";

/** What both kinds of rebuild say of themselves. */
interface Printed extends Pick<RebuildReport, "rows" | "windows" | "isSwitched"> {
  readonly changes: number;
  /** All of them here, the first of them on AWS, where a report has the others. */
  readonly firstChanges: readonly WindowChange[];
  readonly incomplete: number;
}

export const reportLines = ({ id }: Pick<Site, "id">, report: RebuildReport): string[] =>
  countLines(id, {
    ...report,
    changes: report.changes.length,
    firstChanges: report.changes,
    incomplete: report.incomplete.length,
  });

const countLines = (
  site: string,
  { rows, windows, changes, firstChanges, incomplete, isSwitched }: Printed,
): string[] => [
  `${site}: ${rowsText(rows)} folded into ${count(windows, "window")}; ${changes} ${changes === 1 ? "differs" : "differ"} from before`,
  ...firstChanges.map((change) => `  ${describeChange(change)}`),
  ...(changes > firstChanges.length ? [`  and ${changes - firstChanges.length} more`] : []),
  ...(incomplete > 0
    ? [
        `  ${incomplete === 1 ? "1 hour stays as it was" : `${incomplete} hours stay as they were`}: the archive began later than some of the visits, or was off`,
      ]
    : []),
  isSwitched ? "  switched: every answer is made of the result now" : "  nothing was changed",
];

export function answerLines(answer: RebuildAnswer, erase?: Erased): string[] {
  const { site, erased, stillCounted = [], isSwitched, report } = answer;
  const isTakenOut = erased !== undefined && erased > 0 && isSwitched;
  return [
    ...(erased === 0 && erase && answer.changes === 0 ? [nothingLine(site, erase, stillCounted)] : []),
    ...(isTakenOut ? [takenOutLine(site, erased)] : []),
    ...countLines(site, answer),
    ...stillCountedLines(stillCounted),
    `  all windows that differ: ${report} in the archive's bucket`,
  ];
}

const count = (value: number, one: string): string => `${value} ${one}${value === 1 ? "" : "s"}`;
const rowsText = (rows: number): string => count(rows, "row");

export const takenOutLine = (site: string, rows: number): string =>
  `${site}: ${rowsText(rows)} taken out of the archive`;

export const nothingLine = (site: string, erased: Erased, counted: readonly EpochMs[]): string => {
  const hint = `. Is it written as ${"page" in erased ? 'there? Paths begin with "/".' : "your site sends it?"}`;
  return `${site}: nothing of it is archived${counted.length === 0 ? hint : ""}`;
};

export const stillCountedLines = (hours: readonly EpochMs[]): string[] =>
  hours.length === 0
    ? []
    : [`  still counted in hours that stay as they were: ${hours.map(hourText).join(", ")}`];

const hourText = (at: EpochMs): string => `${new Date(at).toISOString().slice(0, 13)}Z`;

function describeChange({ granularity, start, counts, dimensions }: WindowChange): string {
  const when = granularity === "hour" ? hourText(start) : `${new Date(start).toISOString().slice(0, 16)}Z`;
  const what = Object.entries(counts).map(([name, [live, rebuilt]]) => `${name} ${live} -> ${rebuilt}`);
  return `${granularity} ${when}  ${[...what, ...(what.length === 0 ? [`tables: ${dimensions.join(", ")}`] : [])].join(", ")}`;
}
