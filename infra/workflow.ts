/** The workflow of a rebuild as a state machine, in the States Language with JSONPath. Knows of the steps their names, inputs and answers alone. */

/** As JSON has it; texts may be tokens of whoever deploys it. */
export type StateMachineDefinition = {
  readonly Comment: string;
  readonly StartAt: string;
  readonly TimeoutSeconds: number;
  readonly States: Readonly<Record<string, object>>;
};

/** What passes by itself. The function names an error by its code, Lambda its own by these. */
const RETRY = [
  {
    ErrorEquals: [
      "unavailable",
      "throttled",
      "Lambda.ServiceException",
      "Lambda.AWSLambdaException",
      "Lambda.SdkClientException",
      "Lambda.TooManyRequestsException",
      "Lambda.Unknown",
      "Sandbox.Timedout",
    ],
    IntervalSeconds: 2,
    BackoffRate: 2,
    MaxAttempts: 7,
    MaxDelaySeconds: 120,
    JitterStrategy: "FULL",
  },
];

/**
 * Firehose holds rows back for five minutes and tries for five more: then what its callers were acknowledged lies in
 * the bucket.
 */
const DELIVERY_SECONDS = 900;
const LOOK_AGAIN_SECONDS = 60;
/** The archive's consumer gives batches up after half of this, unless the stream keeps them for longer than a day. */
const TIMEOUT_SECONDS = 24 * 3600;
/** Sorters and folders at once: enough for months in minutes, and few of an account's thousand. */
const MAX_CONCURRENCY = 20;

/** More items than one execution may have, each an execution of its own. */
const DISTRIBUTED = { Mode: "DISTRIBUTED", ExecutionType: "STANDARD" };

/** `functionArn` is that of the function that does all steps. */
export function rebuildWorkflow(functionArn: string): StateMachineDefinition {
  const task = (step: string, input: object, next: object): object => ({
    Type: "Task",
    Resource: functionArn,
    Parameters: { step, "run.$": "$$.Execution.Name", ...input },
    Retry: RETRY,
    ...next,
  });
  const orGiveUp = { Catch: [{ ErrorEquals: ["States.ALL"], ResultPath: "$.failure", Next: "Give up" }] };
  const step = (name: string, input: object, next: object): object =>
    task(name, input, { ...next, ...orGiveUp });
  const each = (items: string, mode: object, name: string, state: object): object => ({
    Type: "Map",
    ItemsPath: items,
    MaxConcurrency: MAX_CONCURRENCY,
    ItemSelector: { "item.$": "$$.Map.Item.Value", "run.$": "$$.Execution.Name" },
    ItemProcessor: { ProcessorConfig: mode, StartAt: name, States: { [name]: state } },
    ResultPath: null,
    ...orGiveUp,
  });
  /** In a distributed map each item is an execution of its own, so the name comes with the item. */
  const item = (name: string, input: object): object => ({
    Type: "Task",
    Resource: functionArn,
    Parameters: { step: name, "run.$": "$.run", ...input },
    Retry: RETRY,
    ResultPath: null,
    OutputPath: "$.item",
    End: true,
  });
  const isDone = (variable: string, next: string, again: string): object => ({
    Type: "Choice",
    Choices: [{ Variable: variable, BooleanEquals: true, Next: next }],
    Default: again,
  });

  return {
    Comment:
      "Counts a site again from its archive, without what is to be erased, beside what is read; compares; and switches if asked",
    StartAt: "Begin",
    TimeoutSeconds: TIMEOUT_SECONDS,
    States: {
      Begin: step("begin", { "input.$": "$" }, { ResultPath: null, Next: "Look whether all is archived" }),
      "Look whether all is archived": step(
        "arrived",
        {},
        { ResultPath: "$.hasArrived", Next: "Is all archived?" },
      ),
      "Is all archived?": isDone("$.hasArrived", "Let Firehose deliver", "Let the archive catch up"),
      "Let the archive catch up": {
        Type: "Wait",
        Seconds: LOOK_AGAIN_SECONDS,
        Next: "Look whether all is archived",
      },
      "Let Firehose deliver": { Type: "Wait", Seconds: DELIVERY_SECONDS, Next: "Plan" },
      Plan: step("plan", {}, { ResultPath: "$.plan", Next: "Sort all" }),
      "Sort all": {
        ...each("$.plan.portions", DISTRIBUTED, "Sort", item("sort", { "portion.$": "$.item" })),
        Label: "Sort",
        Next: "Fold all",
      },
      "Fold all": {
        ...each("$.plan.lots", { Mode: "INLINE" }, "Fold", item("fold", { "lot.$": "$.item" })),
        Next: "Merge",
      },
      Merge: step("merge", {}, { ResultPath: null, Next: "Start putting" }),
      "Start putting": { Type: "Pass", Result: { next: "" }, ResultPath: "$.put", Next: "Put" },
      Put: step("put", { "next.$": "$.put.next" }, { ResultPath: "$.put", Next: "Is all put?" }),
      "Is all put?": isDone("$.put.isDone", "Start comparing", "Put"),
      "Start comparing": { Type: "Pass", Result: { next: "" }, ResultPath: "$.compare", Next: "Compare" },
      Compare: step(
        "compare",
        { "next.$": "$.compare.next" },
        { ResultPath: "$.compare", Next: "Is all compared?" },
      ),
      "Is all compared?": isDone("$.compare.isDone", "Is a switch wanted?", "Compare"),
      "Is a switch wanted?": {
        Type: "Choice",
        Choices: [
          {
            And: [
              { Variable: "$.switch", IsPresent: true },
              { Variable: "$.switch", BooleanEquals: true },
            ],
            Next: "Are rows to be taken out?",
          },
        ],
        Default: "Keep what is",
      },
      "Are rows to be taken out?": {
        Type: "Choice",
        Choices: [{ Variable: "$.erase", IsPresent: true, Next: "Note what goes" }],
        Default: "Switch",
      },
      // Whoever starts it again after a failure cannot see any more what is gone.
      "Note what goes": step("noteErased", {}, { ResultPath: null, Next: "Take all out" }),
      // First: whoever starts it again after a failure counts what is left, and nobody counts what is not there.
      "Take all out": {
        ...each("$.plan.portions", DISTRIBUTED, "Take out", item("takeOut", { "portion.$": "$.item" })),
        Label: "TakeOut",
        Next: "Switch",
      },
      Switch: step("end", { switch: true }, { Next: "Done" }),
      "Keep what is": step("end", { switch: false }, { Next: "Done" }),
      Done: { Type: "Succeed" },
      "Give up": task("giveUp", { "failure.$": "$.failure" }, { ResultPath: null, Next: "Failed" }),
      Failed: { Type: "Fail", ErrorPath: "$.failure.Error", CausePath: "$.failure.Cause" },
    },
  };
}
