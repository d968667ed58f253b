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
import type { Explorer, Outcome, ResultRow, Statement, Value } from "./explorer.ts";

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
const TOKEN_MS = 5 * 60_000;
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

  async function start({ text, values }: Statement): Promise<string> {
    const parameters = values.map(parameter);
    const { QueryExecutionId: id } = await send("StartQueryExecution", () =>
      client.send(
        new StartQueryExecutionCommand({
          QueryString: text,
          // An empty list is refused.
          ...(parameters.length > 0 ? { ExecutionParameters: parameters } : {}),
          QueryExecutionContext: { Database: database },
          WorkGroup: workgroup,
          ClientRequestToken: tokenOf({ text, values }, now()),
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
            ...(token === undefined ? {} : { NextToken: token }),
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
    throw new ClickstreamError(
      "bad_request",
      `date_range: reading the archive takes more than ${timeoutMs / 1000} s; ${SHORTER}`,
    );
  }

  return {
    dialect: "trino",
    async source() {
      return { text: `"${database}"."${table}"`, values: [], mayRepeat: true };
    },
    async run(statement, waitMs): Promise<Outcome> {
      const begun = now();
      const id = await start(statement);
      for (let pause = FIRST_WAIT_MS; ; pause = Math.min(MAX_WAIT_MS, pause * 1.5)) {
        const { Status: status } = await look(id);
        if (status?.State === "SUCCEEDED") return { rows: await rowsOf(id) };
        if (status?.State === "FAILED" || status?.State === "CANCELLED") throw failure(id, status);
        const elapsedMs = Math.max(0, now() - (status?.SubmissionDateTime?.getTime() ?? begun));
        if (elapsedMs > timeoutMs) return cancel(id);
        const left = begun + waitMs - now();
        if (left <= 0) return { rows: undefined, progress: { done: undefined, elapsedMs } };
        await wait(Math.min(pause, left));
      }
    },
    async close() {
      if (!options.client) client.destroy();
    },
  };
}

const SHORTER = "ask for a shorter date_range, fewer dimensions, or filter";

/** The same statement within the same few minutes is the same run. */
function tokenOf(statement: Statement, now: number): string {
  const text = JSON.stringify([Math.floor(now / TOKEN_MS), statement.text, statement.values]);
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
function failure(id: string, status: NonNullable<QueryExecution["Status"]>): ClickstreamError {
  const reason = status.StateChangeReason ?? "";
  const cause = new Error(reason);
  if (/bytes scanned limit/i.test(reason))
    return new ClickstreamError(
      "bad_request",
      `date_range: reading the archive takes more bytes than one question may; ${SHORTER}`,
      { cause },
    );
  if (/exhausted resources|exceeded .*memory/i.test(reason))
    return new ClickstreamError(
      "bad_request",
      `date_range: reading the archive takes more memory than there is; ${SHORTER}`,
      { cause },
    );
  if (/pattern|regular expression|INVALID_FUNCTION_ARGUMENT/i.test(reason))
    return new ClickstreamError(
      "bad_request",
      "filters: the archive cannot use one of the patterns; write it more plainly",
      { cause },
    );
  if (status.State === "CANCELLED")
    return new ClickstreamError("unavailable", `Athena query ${id} was cancelled`, { cause });
  const isOurs = status.AthenaError?.ErrorCategory === 2;
  return new ClickstreamError(isOurs ? "invariant" : "unavailable", `Athena query ${id} failed`, { cause });
}
