/** The API document: its routes, what each answers, and what readers get of it. */
import { describe, expect, it } from "vitest";
import { apiDocument } from "../../infra/api.ts";
import { MAX_BODY_BYTES } from "../../infra/mapping.ts";
import type { Operation, Schema } from "../../infra/openapi.ts";
import { LIMITS } from "../../processors/model/event.ts";
import { options } from "./gateway/kit.ts";

const document = apiDocument(options);
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation: operation as Operation })),
);
const ingest = operations.filter(({ path, method }) => method === "post" && !path.startsWith("/api/v2/"));
const integrationOf = (operation: Operation) => operation["x-amazon-apigateway-integration"];

describe("the API document", () => {
  it("has the routes of the contract and no others", () => {
    expect(operations.map(({ path, method }) => `${method} ${path}`).sort()).toEqual([
      "delete /api/v2/shares",
      "get /api/v2/alerts",
      "get /api/v2/export.csv",
      "get /api/v2/live",
      "get /api/v2/shares",
      "get /api/v2/site",
      "get /api/v2/sites",
      "get /p.gif",
      "options /api/event",
      "options /v1/events",
      "post /api/event",
      "post /api/v2/funnel",
      "post /api/v2/paths",
      "post /api/v2/query",
      "post /api/v2/retention",
      "post /api/v2/shares",
      "post /v1/events",
      "put /api/v2/site",
    ]);
  });

  it("gives every operation an id of its own, a summary, a known tag and a documented success", () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const tags = document.tags.map(({ name }) => name);
    for (const { operation } of operations) {
      expect(operation.summary).not.toBe("");
      for (const tag of operation.tags) expect(tags).toContain(tag);
      expect(Object.keys(operation.responses).some((status) => status.startsWith("2"))).toBe(true);
    }
  });

  it("never passes a body through that no template has read", () => {
    for (const { operation } of operations) {
      const integration = integrationOf(operation);
      if (integration.type === "aws_proxy") continue;
      expect(integration.passthroughBehavior).toBe("never");
      expect(Object.keys(integration.requestTemplates ?? {})).toContain("application/json");
      for (const response of Object.values(integration.responses ?? {})) {
        expect(response.responseTemplates).toHaveProperty(["application/json"]);
      }
    }
  });

  it.each(ingest)("$path takes every form in which browsers send text", ({ operation }) => {
    const types = Object.keys(integrationOf(operation).requestTemplates ?? {});
    expect(types).toEqual(
      expect.arrayContaining(["application/json", "text/plain", "text/plain;charset=UTF-8"]),
    );
  });

  it.each(ingest)("$path calls PutRecord once per batch, with the role given", ({ operation }) => {
    expect(integrationOf(operation)).toMatchObject({
      type: "aws",
      httpMethod: "POST",
      uri: "arn:aws:apigateway:eu-central-1:kinesis:action/PutRecord",
      credentials: options.ingestRoleArn,
      requestParameters: { "integration.request.header.Content-Type": "'application/x-amz-json-1.1'" },
    });
  });

  it.each(ingest)("$path answers every status of the stream, readable from any origin", ({ operation }) => {
    const responses = integrationOf(operation).responses ?? {};
    const statusOf = (backend: string) =>
      Object.entries(responses).find(([pattern]) => new RegExp(`^${pattern}$`).test(backend))?.[0] ??
      "default";
    expect(statusOf("200")).toBe("2\\d{2}");
    expect(statusOf("400")).toBe("4\\d{2}");
    expect(statusOf("500")).toBe("default");
    for (const response of Object.values(responses)) {
      expect(response.responseParameters?.["method.response.header.Access-Control-Allow-Origin"]).toBe("'*'");
    }
  });

  it("declares every status and header that an integration maps, as API Gateway demands", () => {
    for (const { operation } of operations) {
      for (const mapped of Object.values(integrationOf(operation).responses ?? {})) {
        const declared = operation.responses[mapped.statusCode];
        expect(declared, `${operation.operationId} ${mapped.statusCode}`).toBeDefined();
        for (const target of Object.keys(mapped.responseParameters ?? {})) {
          const header = target.replace("method.response.header.", "");
          if (header !== "Content-Type") expect(Object.keys(declared?.headers ?? {})).toContain(header);
        }
      }
    }
  });

  it("lets a browser read the errors that API Gateway makes by itself", () => {
    for (const response of Object.values(document["x-amazon-apigateway-gateway-responses"])) {
      expect(response.responseParameters["gatewayresponse.header.Access-Control-Allow-Origin"]).toBe("'*'");
    }
    expect(document["x-amazon-apigateway-gateway-responses"]).toHaveProperty("DEFAULT_4XX");
    expect(document["x-amazon-apigateway-gateway-responses"]).toHaveProperty("DEFAULT_5XX");
  });

  it("uses only names that it defines, and only what API Gateway's importer takes", () => {
    for (const name of Object.keys(document.components.schemas)) expect(name).toMatch(/^[A-Za-z0-9]+$/);
    for (const reference of references(document)) {
      expect(document.components.schemas).toHaveProperty([reference.replace("#/components/schemas/", "")]);
    }
    const validators = Object.keys(document["x-amazon-apigateway-request-validators"]);
    for (const { operation } of operations) {
      const named = operation["x-amazon-apigateway-request-validator"];
      if (named !== undefined) expect(validators).toContain(named);
    }
    for (const word of ["exclusiveMinimum", "discriminator", "readOnly", "default", "nullable", "oneOf"]) {
      expect(schemaKeywords(document.components.schemas)).not.toContain(word);
    }
  });

  it("has templates far below API Gateway's 300 KB, and fits where CloudFormation wants it inline", () => {
    for (const { operation } of operations) {
      for (const template of Object.values(integrationOf(operation).requestTemplates ?? {})) {
        expect(template.length).toBeLessThan(10_000);
      }
    }
    expect(JSON.stringify(document).length).toBeLessThan(100_000);
  });

  it("has the same limit of a body as the decoder", () => {
    expect(MAX_BODY_BYTES).toBe(LIMITS.bodyBytes);
  });
});

function references(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === "$ref" ? [String(inner)] : references(inner),
  );
}

/** Every keyword of the schemas, property names not counted. */
function schemaKeywords(schemas: Readonly<Record<string, Schema>>): string[] {
  return Object.values(schemas).flatMap((schema) => [
    ...Object.keys(schema),
    ...schemaKeywords(schema.properties ?? {}),
    ...schemaKeywords(schema.items === undefined ? {} : { items: schema.items }),
    ...[...(schema.anyOf ?? []), ...(schema.allOf ?? [])].flatMap((part) => schemaKeywords({ part })),
  ]);
}
