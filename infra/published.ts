/** The API document as readers get it: without what only API Gateway needs, and with how to show a key. */
import type { ApiDocument, Operation, Schema } from "./openapi.ts";
import { responseSchemas } from "./responses.ts";

/** Where readers find it. On AWS it is a file, because API Gateway cannot serve its own document without its extensions. */
export const DOCUMENT_PATH = "/api/openapi.json";

const OWN_PREFIX = "x-amazon-";
/** Reading needs one of these where the operator asks for keys; nothing by default on one's own machine. */
const READER_SECURITY = [{ key: [] }, { share: [] }, {}];

/** `document` is what is deployed. Valid OpenAPI 3.0, plain JSON. */
export function publishedDocument(document: ApiDocument): Record<string, unknown> {
  const paths = Object.entries(document.paths).map(([path, operations]) => [
    path,
    Object.fromEntries(
      Object.entries(operations)
        .filter(([method]) => method !== "options")
        .map(([method, operation]) => [method, published(operation)]),
    ),
  ]);
  return {
    ...withoutOwn(document),
    paths: { ...Object.fromEntries(paths), [DOCUMENT_PATH]: { get: itself } },
    components: {
      schemas: { ...document.components.schemas, ...responseSchemas },
      securitySchemes: {
        key: { type: "http", scheme: "bearer", description: "A key of the site, or a share link's token." },
        share: { type: "apiKey", in: "query", name: "share", description: "The token of a share link." },
      },
    },
  };
}

function published(operation: Operation): Record<string, unknown> {
  const isReading = operation.tags.includes("query");
  return { ...withoutOwn(operation), ...(isReading ? { security: READER_SECURITY } : {}) };
}

const withoutOwn = (value: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).filter(([name]) => !name.startsWith(OWN_PREFIX)));

const itself = {
  operationId: "openapi",
  summary: "This document",
  tags: ["query"],
  responses: {
    200: {
      description: "OpenAPI 3.0.",
      content: { "application/json": { schema: { type: "object" } satisfies Schema } },
    },
  },
};

/**
 * A schema in the words that API Gateway knows: without `nullable`, `additionalProperties` and the sizes of lists. There
 * it only describes answers, which nobody checks against it.
 */
export function deployable(schema: Schema): Schema {
  const { nullable: _n, additionalProperties: _a, minItems: _i, maxItems: _x, ...rest } = schema;
  return {
    ...rest,
    ...(rest.items ? { items: deployable(rest.items) } : {}),
    ...(rest.anyOf ? { anyOf: rest.anyOf.map(deployable) } : {}),
    ...(rest.allOf ? { allOf: rest.allOf.map(deployable) } : {}),
    ...(rest.properties
      ? {
          properties: Object.fromEntries(
            Object.entries(rest.properties).map(([name, inner]) => [name, deployable(inner)]),
          ),
        }
      : {}),
  };
}
