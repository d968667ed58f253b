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
  return (value) =>
    check(value)
      ?.map(({ at, is }) => `${at || "body"}: ${is}`)
      .join(", or ");
}

/** Where it is, seen from the value that was checked (`e[0].n`, "" for itself), and what is wrong with it. */
interface Problem {
  readonly at: string;
  readonly is: string;
}

/** More than one where each would do to mend it. Places are made when something is wrong: nearly nothing ever is. */
type PathCheck = (value: unknown) => readonly Problem[] | undefined;

const wrong = (is: string): readonly Problem[] => [{ at: "", is }];
const within = (place: string, problems: readonly Problem[]): readonly Problem[] =>
  problems.map(({ at, is }) => ({ at: place + (at === "" || at.startsWith("[") ? at : `.${at}`), is }));

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
  return (value) => {
    if (value === null && schema.nullable) return undefined;
    for (const check of checks) {
      const problems = check(value);
      if (problems !== undefined) return problems;
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
    const problems = wrong(`must be ${/^[aio]/.test(type) ? "an" : "a"} ${type}`);
    return (value) => (is(value) ? undefined : problems);
  },
  required: (names: readonly string[]) => (value) => {
    if (!types.object(value)) return undefined;
    const missing = names.find((name) => !Object.hasOwn(value as object, name));
    return missing === undefined ? undefined : within(missing, wrong("is required"));
  },
  properties: (properties: Readonly<Record<string, Schema>>, inner) => {
    const checks = Object.entries(properties).map(([name, schema]) => [name, inner(schema)] as const);
    return (value) => {
      if (!types.object(value)) return undefined;
      for (const [name, check] of checks) {
        if (!Object.hasOwn(value as object, name)) continue;
        const problems = check((value as Record<string, unknown>)[name]);
        if (problems !== undefined) return within(name, problems);
      }
      return undefined;
    };
  },
  additionalProperties: (rest: false | Schema, inner, _, { properties = {} }) => {
    const check = rest === false ? () => wrong("must not be there") : inner(rest);
    return (value) => {
      if (!types.object(value)) return undefined;
      for (const name of Object.keys(value as object)) {
        if (Object.hasOwn(properties, name)) continue;
        const problems = check((value as Record<string, unknown>)[name]);
        if (problems !== undefined) return within(name, problems);
      }
      return undefined;
    };
  },
  items: (schema: Schema, inner) => {
    const check = inner(schema);
    return (value) => {
      if (!Array.isArray(value)) return undefined;
      for (let index = 0; index < value.length; index++) {
        const problems = check(value[index]);
        if (problems !== undefined) return within(`[${index}]`, problems);
      }
      return undefined;
    };
  },
  anyOf: (schemas: readonly Schema[], inner) => {
    const checks = schemas.map(inner);
    return (value) => {
      const all: Problem[] = [];
      for (const check of checks) {
        const problems = check(value);
        if (problems === undefined) return undefined;
        all.push(...problems);
      }
      return all;
    };
  },
  allOf: (schemas: readonly Schema[], inner) => {
    const checks = schemas.map(inner);
    return (value) => {
      for (const check of checks) {
        const problems = check(value);
        if (problems !== undefined) return problems;
      }
      return undefined;
    };
  },
  enum: (allowed: readonly unknown[]) => {
    const problems = wrong(`must be one of ${allowed.join(", ")}`);
    return (value) => (allowed.includes(value) ? undefined : problems);
  },
  minItems: (least: number) => (value) =>
    !Array.isArray(value) || value.length >= least ? undefined : wrong("has too few entries"),
  maxItems: (most: number) => (value) =>
    !Array.isArray(value) || value.length <= most ? undefined : wrong("has too many entries"),
  minLength: (least: number) => (value) =>
    typeof value !== "string" || value.length >= least ? undefined : wrong("is too short"),
  maxLength: (most: number) => (value) =>
    typeof value !== "string" || value.length <= most ? undefined : wrong("is too long"),
};

const types = {
  object: (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value),
  array: (value: unknown) => Array.isArray(value),
  string: (value: unknown) => typeof value === "string",
  number: (value: unknown) => typeof value === "number",
  integer: (value: unknown) => Number.isInteger(value),
  boolean: (value: unknown) => typeof value === "boolean",
};
