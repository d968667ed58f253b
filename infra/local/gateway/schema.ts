/**
 * Checks a body against a schema of the API document. Compiles once; a keyword that it does not know is an error at the
 * start, so that the document cannot promise a check that is not made here.
 */
import { ClickstreamError } from "../../../processors/errors.ts";
import type { Schema } from "../../openapi.ts";

/** Names the first problem, as `e: must be an array`; undefined when there is none. Never quotes the value. */
export type Check = (value: unknown) => string | undefined;

/** Compiles `schema`; `components` resolves `#/components/schemas/NAME`. */
export function compileSchema(schema: Schema, components: Readonly<Record<string, Schema>>): Check {
  const check = compile(schema, components);
  return (value) => check(value, "");
}

type PathCheck = (value: unknown, path: string) => string | undefined;

/** Keywords that describe and constrain nothing; `nullable` stands above the others and is looked at first. */
const NOTES = new Set(["title", "description", "example", "nullable"]);

function compile(schema: Schema, components: Readonly<Record<string, Schema>>): PathCheck {
  const checks: PathCheck[] = [];
  for (const [keyword, value] of Object.entries(schema)) {
    if (NOTES.has(keyword)) continue;
    const make = keywords[keyword];
    if (make === undefined)
      throw new ClickstreamError("invariant", `schema keyword ${keyword} is not understood`);
    checks.push(make(value, (inner) => compile(inner, components), components, schema));
  }
  return (value, path) => {
    if (value === null && schema.nullable) return undefined;
    for (const check of checks) {
      const problem = check(value, path);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

type Keyword = (
  // biome-ignore lint/suspicious/noExplicitAny: each keyword has a value type of its own; Schema has checked it
  value: any,
  inner: (schema: Schema) => PathCheck,
  components: Readonly<Record<string, Schema>>,
  whole: Schema,
) => PathCheck;

const keywords: Readonly<Record<string, Keyword>> = {
  $ref: (reference: string, inner, components) => {
    const name = reference.replace("#/components/schemas/", "");
    const schema = components[name];
    if (schema === undefined) throw new ClickstreamError("invariant", `schema ${reference} does not exist`);
    return inner(schema);
  },
  type: (type: keyof typeof types) => {
    const is = types[type];
    const article = /^[aio]/.test(type) ? "an" : "a";
    return (value, path) => (is(value) ? undefined : `${path || "body"}: must be ${article} ${type}`);
  },
  required: (names: readonly string[]) => (value, path) => {
    if (!types.object(value)) return undefined;
    const missing = names.find((name) => !Object.hasOwn(value as object, name));
    return missing === undefined ? undefined : `${join(path, missing)}: is required`;
  },
  properties: (properties: Readonly<Record<string, Schema>>, inner) => {
    const checks = Object.entries(properties).map(([name, schema]) => [name, inner(schema)] as const);
    return (value, path) => {
      if (!types.object(value)) return undefined;
      for (const [name, check] of checks) {
        if (!Object.hasOwn(value as object, name)) continue;
        const problem = check((value as Record<string, unknown>)[name], join(path, name));
        if (problem !== undefined) return problem;
      }
      return undefined;
    };
  },
  additionalProperties: (rest: false | Schema, inner, _, { properties = {} }) => {
    const check = rest === false ? () => "must not be there" : inner(rest);
    return (value, path) => {
      if (!types.object(value)) return undefined;
      for (const [name, item] of Object.entries(value as object)) {
        if (Object.hasOwn(properties, name)) continue;
        const where = join(path, name);
        const problem = check(item, where);
        if (problem !== undefined) return rest === false ? `${where}: ${problem}` : problem;
      }
      return undefined;
    };
  },
  items: (schema: Schema, inner) => {
    const check = inner(schema);
    return (value, path) => {
      if (!Array.isArray(value)) return undefined;
      for (const [index, item] of value.entries()) {
        const problem = check(item, `${path}[${index}]`);
        if (problem !== undefined) return problem;
      }
      return undefined;
    };
  },
  anyOf: (schemas: readonly Schema[], inner) => {
    const checks = schemas.map(inner);
    return (value, path) => {
      const problems = checks.map((check) => check(value, path));
      return problems.includes(undefined) ? undefined : problems.join(", or ");
    };
  },
  allOf: (schemas: readonly Schema[], inner) => {
    const checks = schemas.map(inner);
    return (value, path) => {
      for (const check of checks) {
        const problem = check(value, path);
        if (problem !== undefined) return problem;
      }
      return undefined;
    };
  },
  enum: (allowed: readonly unknown[]) => (value, path) =>
    allowed.includes(value) ? undefined : `${path || "body"}: must be one of ${allowed.join(", ")}`,
  minItems: (least: number) => (value, path) =>
    !Array.isArray(value) || value.length >= least ? undefined : `${path}: has too few entries`,
  maxItems: (most: number) => (value, path) =>
    !Array.isArray(value) || value.length <= most ? undefined : `${path}: has too many entries`,
  minLength: (least: number) => (value, path) =>
    typeof value !== "string" || value.length >= least ? undefined : `${path}: is too short`,
  maxLength: (most: number) => (value, path) =>
    typeof value !== "string" || value.length <= most ? undefined : `${path}: is too long`,
};

const types = {
  object: (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value),
  array: (value: unknown) => Array.isArray(value),
  string: (value: unknown) => typeof value === "string",
  number: (value: unknown) => typeof value === "number",
  integer: (value: unknown) => Number.isInteger(value),
  boolean: (value: unknown) => typeof value === "boolean",
};

const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);
