/**
 * Renders API Gateway's mapping templates with velocityjs as API Gateway does: its $input, $util and $context, and the
 * methods of Java's String that JavaScript's lacks or gives another meaning. A template is parsed once.
 */
import { Compile, parse } from "velocityjs";
import { ClickstreamError } from "../../../processors/errors.ts";

/** What a template may read of a request, or of a backend's answer. */
export interface TemplateInput {
  /** The body as text. */
  readonly body: string;
  /** The body as parsed JSON. */
  readonly json: unknown;
  /** Names in lower case; look-ups ignore case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly query?: URLSearchParams;
}

export interface TemplateContext {
  readonly extendedRequestId: string;
  readonly requestId: string;
  readonly requestTimeEpoch: number;
  readonly httpMethod: string;
  readonly resourcePath: string;
  readonly identity: { readonly sourceIp: string; readonly userAgent: string };
  /** A response template writes here to change the status or a header. */
  readonly responseOverride: { status?: number; readonly header: Record<string, string> };
}

export interface Template {
  render(input: TemplateInput, context: TemplateContext): string;
}

type Asts = ReturnType<typeof parse>;

/** Parses `source`; throws what the parser throws, so that a broken template fails at the start, not at a request. */
export function compileTemplate(source: string): Template {
  const asts = parse(source);
  if (asts.every((ast) => typeof ast === "string")) return { render: () => asts.join("") };
  return {
    // A renderer keeps what a template sets, so each rendering takes a new one; it is cheap beside parsing.
    render: (input, context) =>
      new Renderer(asts, renderOptions).render({ input: inputOf(input), context, util }),
  };
}

/**
 * velocityjs with two shortcuts that halve the time of a rendering. Double-quoted texts, which it parses at each use,
 * are parsed once (they come from templates only, so there are few); and plain references, for which it builds error
 * texts and searches scopes that only loops and macros open, are looked up directly. All else is left to it.
 */
class Renderer extends Compile {
  protected override evalStr(source: string): string {
    let asts = quotedTexts.get(source);
    if (asts === undefined) {
      asts = parse(source);
      quotedTexts.set(source, asts);
    }
    return this.renderAstList(asts, this.contextId);
  }

  // velocityjs declares string, though a reference may be anything.
  protected override getReferences(ast: unknown, isText?: boolean): string {
    const reference = ast as Reference;
    const { id, args } = reference;
    const inScope = this.conditions.length > 0 || args !== undefined || id in this.defines;
    const value = inScope ? undefined : this.#follow(reference);
    if (value !== undefined) return value as string;
    // Absent, or not for us to say: velocityjs knows what such a reference shows.
    return super.getReferences(ast as never, isText);
  }

  #follow({ id, path }: Reference): unknown {
    let value: unknown = Object.hasOwn(this.context, id) ? this.context[id] : undefined;
    for (const step of path ?? []) {
      if (typeof value !== "string" && (typeof value !== "object" || value === null)) return undefined;
      if (step.type === "index") return undefined;
      if (step.type === "property") {
        value = Object.hasOwn(value as object, step.id)
          ? (value as Record<string, unknown>)[step.id]
          : undefined;
        continue;
      }
      const known = typeof value === "string" ? stringMethods[step.id] : undefined;
      const method =
        typeof value === "string" || Object.hasOwn(value, step.id) ? Object(value)[step.id] : undefined;
      if (known === undefined && typeof method !== "function") return undefined;
      const params = (step.args || []).map((arg) => this.getLiteral(arg as never) as unknown);
      value = known === undefined ? method.apply(value, params) : known(value as string, params);
    }
    return value;
  }
}
interface Reference {
  readonly id: string;
  readonly args?: unknown;
  readonly path?: readonly (
    | { readonly type: "property"; readonly id: string }
    | { readonly type: "method"; readonly id: string; readonly args: readonly unknown[] | false }
    | { readonly type: "index"; readonly id: unknown }
  )[];
}
const quotedTexts = new Map<string, Asts>();

// --- Java's strings -----------------------------------------------------------------------------------------------

type StringMethod = (text: string, params: readonly unknown[]) => unknown;
const patterns = new Map<string, RegExp>();

const stringMethods: Readonly<Record<string, StringMethod>> = {
  length: (text) => text.length,
  isEmpty: (text) => text === "",
  contains: (text, [part]) => text.includes(String(part)),
  equals: (text, [other]) => text === other,
  equalsIgnoreCase: (text, [other]) => text.toLowerCase() === String(other).toLowerCase(),
  matches: (text, [pattern]) => regex(`^(?:${String(pattern)})$`).test(text),
  /** A regular expression in Java, plain text in JavaScript. */
  replaceAll: (text, [pattern, replacement]) => text.replace(regex(String(pattern)), String(replacement)),
};

function regex(pattern: string): RegExp {
  let found = patterns.get(pattern);
  if (found === undefined) {
    found = new RegExp(pattern, "g");
    patterns.set(pattern, found);
  }
  found.lastIndex = 0;
  return found;
}

const renderOptions = {
  escape: false,
  customMethodHandlers: [
    {
      uid: "java.lang.String",
      match: ({ property, context }: { property: string; context: unknown }) =>
        typeof context === "string" && Object.hasOwn(stringMethods, property),
      resolve: ({ property, context, params }: { property: string; context: string; params: unknown[] }) =>
        (stringMethods[property] as StringMethod)(context, params),
    },
  ],
};

// --- $input and $util ---------------------------------------------------------------------------------------------

function inputOf({ body, json, headers, query }: TemplateInput) {
  const header = (name: unknown): string | undefined => headers[String(name).toLowerCase()];
  return {
    // API Gateway shows an empty body as an empty object.
    body: body === "" ? "{}" : body,
    path: (expression: string) => follow(json, expression),
    json: (expression: string) => JSON.stringify(follow(json, expression)),
    params: (name?: string) =>
      name === undefined
        ? { header: { get: header }, querystring: { get: (key: string) => query?.get(key) ?? undefined } }
        : (query?.get(name) ?? header(name) ?? ""),
  };
}

const paths = new Map<string, readonly string[]>();

/** The value at a JSONPath of names and numbers, as `$.a.b[0]`; undefined where there is none. */
function follow(value: unknown, expression: string): unknown {
  let keys = paths.get(expression);
  if (keys === undefined) {
    if (!/^\$(?:\.[A-Za-z0-9_$-]+|\[\d+\])*$/.test(expression)) {
      throw new ClickstreamError(
        "invariant",
        `template path ${expression}: only names and numbers are understood`,
      );
    }
    keys = [...expression.matchAll(/[^.[\]]+/g)].slice(1).map(([key]) => key);
    paths.set(expression, keys);
  }
  let at: unknown = value;
  for (const key of keys) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at ?? undefined;
}

const util = {
  base64Encode: (text: unknown) => Buffer.from(String(text ?? ""), "utf8").toString("base64"),
  base64Decode: (text: unknown) => Buffer.from(String(text ?? ""), "base64").toString("utf8"),
  urlEncode: (text: unknown) => encodeURIComponent(String(text ?? "")),
  urlDecode: (text: unknown) => decodeURIComponent(String(text ?? "")),
  parseJson: (text: unknown): unknown => JSON.parse(String(text)),
  /** As API Gateway's: also single quotes get a backslash, which JSON does not allow. */
  escapeJavaScript: (text: unknown) => JSON.stringify(String(text)).slice(1, -1).replaceAll("'", "\\'"),
};
