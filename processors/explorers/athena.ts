/**
 * Amazon Athena over the archive's table. The service runs the statement whether anybody waits or not: a request that
 * comes again finds the same run by its token, in whatever process. Knows nothing of what is asked.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import {
  AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  type QueryExecution,
  StartQueryExecutionCommand,
  StopQueryExecutionCommand,
} from "@aws-sdk/client-athena";
import { awsError, httpHandler } from "../aws.ts";
import { ClickstreamError } from "../errors.ts";
import { MINUTE_MS } from "../model/time.ts";
import type { Explorer, Outcome, ResultRow, Statement, Value } from "./explorer.ts";
import { badPattern, takesMore, tooLong } from "./limits.ts";

export interface AthenaOptions {
  /** It fixes where results go, their encryption, and the most bytes that one statement may read. */
  readonly workgroup: string;
  readonly database: string;
  readonly table: string;
  /** Of one statement, default two minutes; then it is cancelled. */
  readonly timeoutMs?: number;
  /** Default: one made from the usual AWS_* variables. A client that is given is not closed. */
  readonly client?: AthenaClient;
  /** Between two looks; tests count the waits instead. */
  readonly wait?: (ms: number) => Promise<unknown>;
  readonly now?: () => number;
}

/** A run can be found again as long as this; the archive gets new files about as often. */
const TOKEN_MS = 5 * MINUTE_MS;
/** Runs that failed before which a request passes over until it gives up. */
const MAX_FAILED = 3;
/** Runs that were left unfinished and are known without their token. */
const MAX_LEFT = 32;
const FIRST_WAIT_MS = 150;
const MAX_WAIT_MS = 1_500;
/** GetQueryResults: the largest page. */
const PAGE_ROWS = 1_000;
/** StartQueryExecution: the longest parameter, quotes included. */
const MAX_PARAMETER_CHARS = 1_024;

/** Throws what the port says. */
export function athenaExplorer(options: AthenaOptions): Explorer {
  const { workgroup, database, table, timeoutMs = 120_000, wait = sleep, now = Date.now } = options;
  const client = options.client ?? new AthenaClient({ requestHandler: httpHandler() });

  const send = async <T>(operation: string, request: () => Promise<T>): Promise<T> => {
    try {
      return await request();
    } catch (cause) {
      throw awsError(`Athena ${operation} in workgroup "${workgroup}"`, cause);
    }
  };

  /** By statement, so that none is begun anew when the time of its token ends. */
  const left = new Map<string, string>();

  /** `after` names a run of the same statement that failed: one token stands for one run, whatever became of it. */
  async function start({ text, values }: Statement, after = ""): Promise<string> {
    const parameters = values.map(parameter);
    const { QueryExecutionId: id } = await send("StartQueryExecution", () =>
      client.send(
        new StartQueryExecutionCommand({
          QueryString: text,
          // An empty list is refused.
          ...(parameters.length > 0 ? { ExecutionParameters: parameters } : {}),
          QueryExecutionContext: { Database: database },
          WorkGroup: workgroup,
          ClientRequestToken: tokenOf({ text, values }, now(), after),
        }),
      ),
    );
    if (!id) throw new ClickstreamError("unavailable", "Athena StartQueryExecution gave no id");
    return id;
  }

  async function look(id: string): Promise<QueryExecution> {
    const { QueryExecution: execution } = await send("GetQueryExecution", () =>
      client.send(new GetQueryExecutionCommand({ QueryExecutionId: id })),
    );
    return execution ?? {};
  }

  async function rowsOf(id: string): Promise<ResultRow[]> {
    const rows: ResultRow[] = [];
    let token: string | undefined;
    do {
      const page = await send("GetQueryResults", () =>
        client.send(
          new GetQueryResultsCommand({
            QueryExecutionId: id,
            MaxResults: PAGE_ROWS,
            NextToken: token,
          }),
        ),
      );
      const found = page.ResultSet?.Rows ?? [];
      // The first row of the first page names the columns.
      const data = token === undefined ? found.slice(1) : found;
      for (const { Data = [] } of data) rows.push(Data.map(({ VarCharValue }) => VarCharValue ?? null));
      token = page.NextToken;
    } while (token !== undefined);
    return rows;
  }

  async function cancel(id: string): Promise<never> {
    await send("StopQueryExecution", () =>
      client.send(new StopQueryExecutionCommand({ QueryExecutionId: id })),
    );
    throw tooLong(timeoutMs);
  }

  function leave(statement: string, id: string): void {
    left.set(statement, id);
    for (const oldest of left.keys()) {
      if (left.size <= MAX_LEFT) break;
      left.delete(oldest);
    }
  }

  return {
    dialect: "trino",
    async source() {
      return { source: { text: `"${database}"."${table}"`, values: [], mayRepeat: true } };
    },
    async run(statement, waitMs): Promise<Outcome> {
      const begun = now();
      const key = JSON.stringify(statement);
      let id = left.get(key) ?? (await start(statement));
      left.delete(key);
      let pause = FIRST_WAIT_MS;
      let failed = 0;
      for (let looks = 1; ; looks++) {
        const { Status: status } = await look(id);
        if (status?.State === "SUCCEEDED") return { rows: await rowsOf(id) };
        if (status?.State === "FAILED" || status?.State === "CANCELLED") {
          const error = failure(id, status, timeoutMs);
          // Over when it was first looked at, it is the run of an earlier request: its outage may have passed.
          if (looks > 1 || error.code !== "unavailable" || failed++ === MAX_FAILED) throw error;
          id = await start(statement, id);
          looks = 0;
          continue;
        }
        const elapsedMs = Math.max(0, now() - (status?.SubmissionDateTime?.getTime() ?? begun));
        if (elapsedMs > timeoutMs) return cancel(id);
        const leftMs = begun + waitMs - now();
        if (leftMs <= 0) {
          leave(key, id);
          return { rows: undefined, progress: { done: undefined, elapsedMs } };
        }
        await wait(Math.min(pause, leftMs));
        pause = Math.min(MAX_WAIT_MS, pause * 1.5);
      }
    },
    async close() {
      if (!options.client) client.destroy();
    },
  };
}

/** The same statement within the same few minutes is the same run; after one that failed, the same next one. */
function tokenOf(statement: Statement, now: number, after: string): string {
  const text = JSON.stringify([Math.floor(now / TOKEN_MS), statement.text, statement.values, after]);
  return createHash("sha256").update(text).digest("hex");
}

/**
 * Parameters are literals: a text stands in single quotes, and those in it are doubled.
 * https://docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements.html
 */
function parameter(value: Value): string {
  if (typeof value === "number") return String(value);
  if (typeof value !== "string")
    throw new ClickstreamError("invariant", "a list was bound, and Athena takes texts and numbers");
  const literal = `'${value.replaceAll("'", "''")}'`;
  if (literal.length > MAX_PARAMETER_CHARS)
    throw new ClickstreamError(
      "bad_request",
      `filters: a value of more than ${MAX_PARAMETER_CHARS - 2} characters cannot be looked for in the archive`,
    );
  return literal;
}

/** Why a run ended: over a limit of the workgroup or the engine, or an outage. The service's words stay in the cause. */
function failure(
  id: string,
  status: NonNullable<QueryExecution["Status"]>,
  timeoutMs: number,
): ClickstreamError {
  const reason = status.StateChangeReason ?? "";
  const cause = new Error(reason);
  if (/bytes scanned limit/i.test(reason)) return takesMore("bytes than one question may", { cause });
  if (/exhausted resources|exceeded .*memory/i.test(reason))
    return takesMore("memory than there is", { cause });
  if (/pattern|regular expression|INVALID_FUNCTION_ARGUMENT/i.test(reason)) return badPattern({ cause });
  const { SubmissionDateTime: from, CompletionDateTime: to } = status;
  // By whoever waited for it, because of its limit.
  if (status.State === "CANCELLED" && from && to && to.getTime() - from.getTime() > timeoutMs)
    return tooLong(timeoutMs);
  if (status.State === "CANCELLED")
    return new ClickstreamError("unavailable", `Athena query ${id} was cancelled`, { cause });
  const isOurs = status.AthenaError?.ErrorCategory === 2;
  return new ClickstreamError(isOurs ? "invariant" : "unavailable", `Athena query ${id} failed`, { cause });
}
