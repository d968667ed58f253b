/** Reads an event source mapping's properties from a CloudFormation template, with AWS' defaults. Refuses what the emulator does not do. */
import { ClickstreamError } from "../../../processors/errors.ts";

export interface MappingSettings {
  readonly batchSize: number;
  /** How long records are gathered, ms; 0: not at all. */
  readonly windowMs: number;
  /** Infinity: until they expire. */
  readonly maxRetries: number;
  readonly maxRecordAgeMs: number;
  readonly bisects: boolean;
  readonly reportsItemFailures: boolean;
}

/** Properties of AWS::Lambda::EventSourceMapping that concern Kinesis. */
export interface MappingProperties {
  readonly StartingPosition?: string;
  readonly Enabled?: boolean;
  readonly BatchSize?: number;
  readonly MaximumBatchingWindowInSeconds?: number;
  readonly MaximumRetryAttempts?: number;
  readonly MaximumRecordAgeInSeconds?: number;
  readonly BisectBatchOnFunctionError?: boolean;
  readonly FunctionResponseTypes?: readonly string[];
  readonly ParallelizationFactor?: number;
  readonly TumblingWindowInSeconds?: number;
  readonly FilterCriteria?: unknown;
}

/** Throws `config` for a property that would mean something else here than on AWS. */
export function mappingSettings(properties: MappingProperties): MappingSettings {
  const refuse = (what: string): never => {
    throw new ClickstreamError("config", `event source mapping: ${what} is not emulated`);
  };
  if (properties.StartingPosition !== "TRIM_HORIZON")
    refuse(`StartingPosition ${properties.StartingPosition}`);
  if (properties.Enabled === false) refuse("a disabled mapping");
  if ((properties.ParallelizationFactor ?? 1) !== 1) refuse("ParallelizationFactor above 1");
  if ((properties.TumblingWindowInSeconds ?? 0) !== 0) refuse("TumblingWindowInSeconds");
  if (properties.FilterCriteria !== undefined) refuse("FilterCriteria");
  const orForever = (value: number | undefined): number =>
    value === undefined || value === -1 ? Number.POSITIVE_INFINITY : value;
  return {
    batchSize: properties.BatchSize ?? 100,
    windowMs: (properties.MaximumBatchingWindowInSeconds ?? 0) * 1_000,
    maxRetries: orForever(properties.MaximumRetryAttempts),
    maxRecordAgeMs: orForever(properties.MaximumRecordAgeInSeconds) * 1_000,
    bisects: properties.BisectBatchOnFunctionError ?? false,
    reportsItemFailures: properties.FunctionResponseTypes?.includes("ReportBatchItemFailures") ?? false,
  };
}
