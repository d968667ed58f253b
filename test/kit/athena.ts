/** An Athena endpoint for the driver's real SDK calls: runs by token, states, pages, failures, throttling. Runs no SQL. */
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { listening } from "./listening.ts";

export interface AthenaRun {
  readonly id: string;
  readonly token: string;
  readonly text: string;
  readonly parameters: readonly string[];
  readonly workgroup: string;
  readonly startedAt: number;
  looks: number;
  stoppedAt: number | undefined;
  /** Why it failed, "" where it succeeded; undefined while it runs. */
  failure: string | undefined;
}

export interface FakeAthena {
  readonly endpoint: string;
  readonly runs: readonly AthenaRun[];
  /** Operations in order, those refused for throttling too. */
  readonly calls: readonly string[];
  /** How often a run is looked at before it is over. */
  looksUntilDone: number;
  /** Ends runs as failures, with this reason. */
  failure: string | undefined;
  /** How many of the next requests are refused. */
  throttled: number;
  close(): Promise<void>;
}

/** `answer` gives the rows of a statement, the header not among them. */
export async function fakeAthena(
  answer: (run: AthenaRun) => readonly (readonly (string | null)[])[],
  now: () => number = Date.now,
): Promise<FakeAthena> {
  const runs: AthenaRun[] = [];
  const calls: string[] = [];
  const fake = { looksUntilDone: 2, failure: undefined as string | undefined, throttled: 0 };

  const operations: Record<string, (input: Record<string, unknown>) => unknown> = {
    StartQueryExecution(input) {
      const token = String(input.ClientRequestToken);
      const known = runs.find((run) => run.token === token);
      const parameters = (input.ExecutionParameters ?? []) as string[];
      if (input.ExecutionParameters && parameters.length === 0) throw new Refusal("InvalidRequestException");
      // More or fewer parameters than question marks outside of texts fail in the service too.
      const marks =
        String(input.QueryString)
          .replaceAll(/'(?:[^']|'')*'/g, "")
          .match(/\?/g) ?? [];
      if (marks.length !== parameters.length) throw new Refusal("InvalidRequestException");
      if (known) return { QueryExecutionId: known.id };
      const run: AthenaRun = {
        id: randomUUID(),
        token,
        text: String(input.QueryString),
        parameters,
        workgroup: String(input.WorkGroup),
        startedAt: now(),
        looks: 0,
        stoppedAt: undefined,
        failure: undefined,
      };
      runs.push(run);
      return { QueryExecutionId: run.id };
    },
    GetQueryExecution({ QueryExecutionId: id }) {
      const run = found(runs, id);
      run.looks++;
      const isOver = run.looks > fake.looksUntilDone;
      if (isOver) run.failure ??= fake.failure ?? "";
      const state =
        run.stoppedAt !== undefined
          ? "CANCELLED"
          : !isOver
            ? run.looks === 1
              ? "QUEUED"
              : "RUNNING"
            : run.failure
              ? "FAILED"
              : "SUCCEEDED";
      return {
        QueryExecution: {
          QueryExecutionId: run.id,
          Status: {
            State: state,
            SubmissionDateTime: run.startedAt / 1000,
            ...(state === "FAILED" ? { StateChangeReason: run.failure } : {}),
            ...(run.stoppedAt === undefined ? {} : { CompletionDateTime: run.stoppedAt / 1000 }),
          },
        },
      };
    },
    GetQueryResults({ QueryExecutionId: id, NextToken: token, MaxResults: max }) {
      const rows = answer(found(runs, id));
      const header = (rows[0] ?? []).map((_, i) => `_col${i}`);
      const all = [header, ...rows];
      const from = Number(token ?? 0);
      const to = from + Number(max);
      return {
        ResultSet: {
          Rows: all.slice(from, to).map((row) => ({
            Data: row.map((value) => (value === null ? {} : { VarCharValue: value })),
          })),
        },
        ...(to < all.length ? { NextToken: String(to) } : {}),
      };
    },
    StopQueryExecution({ QueryExecutionId: id }) {
      found(runs, id).stoppedAt ??= now();
      return {};
    },
  };

  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const operation = String(request.headers["x-amz-target"]).split(".").at(-1) ?? "";
      calls.push(operation);
      const reply = (status: number, body: unknown): void => {
        response.writeHead(status, { "content-type": "application/x-amz-json-1.1" });
        response.end(JSON.stringify(body));
      };
      if (fake.throttled > 0) {
        fake.throttled--;
        reply(400, { __type: "TooManyRequestsException", message: "slow down" });
        return;
      }
      try {
        const run = operations[operation];
        if (!run) throw new Refusal("UnknownOperationException");
        reply(200, run(JSON.parse(Buffer.concat(parts).toString("utf8")) as Record<string, unknown>));
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        reply(400, { __type: error.message });
      }
    });
  });
  const { origin: endpoint, close } = await listening(server);
  return Object.assign(fake, { endpoint, runs, calls, close });
}

class Refusal extends Error {}

function found(runs: readonly AthenaRun[], id: unknown): AthenaRun {
  const run = runs.find((one) => one.id === id);
  if (!run) throw new Refusal("InvalidRequestException");
  return run;
}
