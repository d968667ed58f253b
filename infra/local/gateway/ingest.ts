/**
 * Runs an ingest operation of the API document: checks the body, makes the record as the request template says, puts it,
 * and answers through the response templates. Knows the stream only as a function that takes one record.
 */
import { ClickstreamError } from "../../../processors/errors.ts";
import type { IngestMapping } from "../../mapping.ts";
import type { ApiDocument, IntegrationResponse, Operation } from "../../openapi.ts";
import type { HttpResponse } from "./http.ts";
import { constants } from "./problems.ts";
import { type IngestRecord, type RecordWriter, recordWriter } from "./record.ts";
import { type Check, compileSchema } from "./schema.ts";
import { compileTemplate, type Template, type TemplateContext } from "./vtl.ts";

/** Resolves when the record is durable. Throws ClickstreamError `throttled` or `unavailable`. */
export type PutRecord = (record: IngestRecord) => Promise<unknown>;

export interface IngestRequest {
  readonly contentType: string | undefined;
  readonly body: string;
  /** The same as it came; none where there is no body. */
  readonly bytes: Buffer | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly context: TemplateContext;
}

export type IngestOutcome =
  | { readonly response: HttpResponse; readonly fault?: unknown }
  /** Refused before the stream was asked; the gateway answers in its own words. */
  | { readonly refused: 400 | 415; readonly message: string };

export type Ingest = (request: IngestRequest) => Promise<IngestOutcome>;

/**
 * Compiles the templates and the schema of `operation`, once. With its `mapping` records are made without rendering
 * where `recordWriter` can.
 */
export function ingestOperation(
  operation: Operation,
  document: ApiDocument,
  putRecord: PutRecord,
  mapping?: IngestMapping,
): Ingest {
  const integration = operation["x-amazon-apigateway-integration"];
  const write = mapping && recordWriter(mapping);
  const compiled = new Map<string, Template>();
  const template = (source: string): Template => {
    const known = compiled.get(source) ?? compileTemplate(source);
    compiled.set(source, known);
    return known;
  };
  /** Parsed when first needed where records are written without. */
  const writers = new Map<string, RecordWriter>();
  for (const [type, source] of Object.entries(integration.requestTemplates ?? {})) {
    const render = write ? undefined : template(source);
    const rendered: RecordWriter = (request) =>
      parsed((render ?? template(source)).render(request, request.context));
    writers.set(normalType(type), write ? (request) => write(request) ?? rendered(request) : rendered);
  }
  const check = operation.requestBody && bodyCheck(operation, document);
  const { default: otherwise, ...patterns } = integration.responses ?? {};
  const responses = [
    ...Object.entries(patterns),
    ...(otherwise === undefined ? [] : [[".*", otherwise] as const]),
  ].map(([pattern, response]) => ({
    pattern: new RegExp(`^(?:${pattern})$`),
    render: responseRenderer(response, template),
  }));
  const answer = (backend: BackendAnswer, context: TemplateContext): HttpResponse => {
    const found = responses.find(({ pattern }) => pattern.test(String(backend.status)));
    if (found === undefined) {
      throw new ClickstreamError(
        "invariant",
        `no response of ${operation.operationId} for ${backend.status}`,
      );
    }
    return found.render(backend, context);
  };

  return async ({ contentType, body, bytes, headers, query, context }) => {
    // A request without a type counts as JSON, as at API Gateway.
    const writer =
      writers.get(contentType ?? "application/json") ?? writers.get(normalType(contentType ?? ""));
    if (writer === undefined) {
      return { refused: 415, message: "Content-Type must be application/json or text/plain, in UTF-8." };
    }
    let json: unknown = {};
    if (check) {
      try {
        json = JSON.parse(body);
      } catch {
        return { refused: 400, message: "body: must be JSON" };
      }
      const problem = check(json);
      if (problem !== undefined) return { refused: 400, message: problem };
    }
    let record: IngestRecord;
    try {
      record = writer({ body, bytes, json, headers, query, context });
    } catch (error) {
      // JSON.parse takes any depth; a template that shows what stands in place of a text goes down as far.
      if (!(error instanceof RangeError)) throw error;
      return { refused: 400, message: "body: is nested too deep" };
    }
    const { backend, fault } = await put(record, putRecord);
    const response = answer(backend, context);
    return fault === undefined ? { response } : { response, fault };
  };
}

/**
 * One check for all content types, that of application/json: text/plain carries the same JSON. Locally the text is
 * certainly parsed, so it can be held to the shape too (the document says why API Gateway is not asked to).
 */
function bodyCheck(operation: Operation, document: ApiDocument): Check {
  const schema = operation.requestBody?.content["application/json"]?.schema;
  if (schema === undefined) {
    throw new ClickstreamError("invariant", `${operation.operationId} has no schema for application/json`);
  }
  return compileSchema(schema, document.components.schemas);
}

/** Types compare without regard to case, spaces and quotes. */
const normalType = (type: string): string => type.toLowerCase().replace(/[\s"]/g, "");

// --- the backend: Kinesis' PutRecord, as far as our templates can see it -------------------------------------------

interface BackendAnswer {
  readonly status: number;
  readonly body: { readonly [key: string]: string };
}

const stored: BackendAnswer = { status: 200, body: {} };

const refusal = (type: string, message: string, status = 400): BackendAnswer => ({
  status,
  body: { __type: type, message },
});

/** Kinesis' limit of a record, data and key together. */
const MAX_RECORD_BYTES = 1024 * 1024;

/** What a request template has rendered. */
function parsed(rendered: string): IngestRecord {
  const { PartitionKey: partitionKey, Data: data64 } = JSON.parse(rendered) as Record<string, string>;
  if (partitionKey === undefined || data64 === undefined) {
    throw new ClickstreamError("invariant", "the template rendered no PutRecord request");
  }
  return { partitionKey, data: Buffer.from(data64, "base64") };
}

/** `fault` is what the operator must hear of: an outage or a bug, but not throttling. */
async function put(
  record: IngestRecord,
  putRecord: PutRecord,
): Promise<{ backend: BackendAnswer; fault?: unknown }> {
  const { partitionKey, data } = record;
  if (partitionKey.length < 1 || partitionKey.length > 256) {
    return {
      backend: refusal("ValidationException", "Value at 'partitionKey' failed to satisfy constraint"),
    };
  }
  if (data.length + Buffer.byteLength(partitionKey) > MAX_RECORD_BYTES) {
    return { backend: refusal("ValidationException", "Value at 'data' failed to satisfy constraint") };
  }
  try {
    await putRecord(record);
    return { backend: stored };
  } catch (error) {
    const code = error instanceof ClickstreamError ? error.code : undefined;
    if (code === "throttled") return { backend: refusal("ProvisionedThroughputExceededException", "") };
    if (code === "unavailable") return { backend: refusal("InternalFailure", "", 500), fault: error };
    // The client did nothing wrong and should try again; the cause is for the log.
    return { backend: refusal("AccessDeniedException", ""), fault: error };
  }
}

// --- the way back -------------------------------------------------------------------------------------------------

function responseRenderer(
  response: IntegrationResponse,
  template: (source: string) => Template,
): (backend: BackendAnswer, context: TemplateContext) => HttpResponse {
  const fixed = constants(response.responseParameters ?? {}, "method.response.header.");
  const source = response.responseTemplates?.["application/json"] ?? "";
  const rendered = template(source);
  const render = (json: BackendAnswer["body"], context: TemplateContext): HttpResponse => {
    const body = rendered.render({ body: JSON.stringify(json), json, headers: {} }, context).trim();
    const status = context.responseOverride.status ?? Number(response.statusCode);
    const type: Record<string, string> =
      body === "" || "Content-Type" in fixed ? {} : { "Content-Type": "application/json" };
    return {
      status,
      headers: { ...fixed, ...type, ...context.responseOverride.header },
      body: response.contentHandling === "CONVERT_TO_BINARY" ? Buffer.from(body, "base64") : body,
    };
  };
  if (/\$!?\{?(?:input|context|util)\b/.test(source)) return ({ body }, context) => render(body, context);
  // It asks for nothing, so it always says the same: the answer to whatever went well.
  let same: HttpResponse | undefined;
  return ({ body }, context) => {
    same ??= render(body, context);
    return same;
  };
}
