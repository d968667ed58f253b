/**
 * Turns a parsed mapping template into functions, for the part of the language that our own templates use; anything else
 * is left to the engine, to which the tests hold these functions equal. Knows no API, only texts and references.
 */

/** A node as velocityjs parses it; texts are plain. */
export type Node = string | NodeList | (Record<string, unknown> & { readonly type: string });
interface NodeList extends ReadonlyArray<Node> {}

/** What a template reads and sets, by name. */
export type Scope = Record<string, unknown>;
type Evaluate = (scope: Scope) => unknown;
type Write = (scope: Scope) => string;

/** Thrown while rendering where a value shows itself in a way that only the engine knows. */
export const LEFT_TO_ENGINE = Symbol("left to the engine");

export interface Language {
  readonly parse: (source: string) => readonly Node[];
  /** A method of Java's String that JavaScript's lacks or gives another meaning. */
  readonly stringMethod: (
    name: string,
  ) => ((text: string, params: readonly unknown[]) => unknown) | undefined;
}

/** A function that renders the whole, or undefined if something in it is not covered. Rendering may throw LEFT_TO_ENGINE. */
export function closuresOf(nodes: readonly Node[], language: Language): Write | undefined {
  try {
    return writeAll(nodes, language);
  } catch (reason) {
    if (reason === LEFT_TO_ENGINE) return undefined;
    throw reason;
  }
}

function writeAll(nodes: readonly Node[], language: Language): Write {
  const parts = nodes.filter((node) => node !== "").map((node) => write(node, language));
  if (parts.length === 1) return parts[0]!;
  return (scope) => {
    let text = "";
    for (const part of parts) text += part(scope);
    return text;
  };
}

function write(node: Node, language: Language): Write {
  if (typeof node === "string") return () => node;
  if (Array.isArray(node)) return choose(node, language);
  const { type, equal, leader } = node as { type: string; equal?: [Node, Node]; leader?: string };
  if (type === "set") return assign(equal!, language);
  if (type !== "references") throw LEFT_TO_ENGINE;
  const read = evaluate(node, language);
  const isQuiet = leader === "$!";
  return (scope) => {
    const value = read(scope);
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    if (value === undefined && isQuiet) return "";
    throw LEFT_TO_ENGINE;
  };
}

function assign([target, value]: [Node, Node], language: Language): Write {
  const { id, path } = target as unknown as { id: string; path?: unknown };
  if (path !== undefined) throw LEFT_TO_ENGINE;
  const read = evaluate(value, language);
  return (scope) => {
    scope[id] = read(scope);
    return "";
  };
}

/** `#if`, `#elseif` and `#else` stand in one list with what they lead to. */
function choose(nodes: readonly Node[], language: Language): Write {
  const branches: { readonly isChosen: Evaluate; readonly nodes: Node[] }[] = [];
  for (const node of nodes) {
    const type = typeof node === "string" || Array.isArray(node) ? "" : (node as { type: string }).type;
    if (type === "if" || type === "elseif") {
      const { condition } = node as unknown as { condition: Node };
      branches.push({ isChosen: evaluate(condition, language), nodes: [] });
    } else if (type === "else") branches.push({ isChosen: () => true, nodes: [] });
    else {
      const branch = branches.at(-1);
      if (!branch) throw LEFT_TO_ENGINE; // a block of another kind
      branch.nodes.push(node);
    }
  }
  const ways = branches.map((branch) => ({
    isChosen: branch.isChosen,
    run: writeAll(branch.nodes, language),
  }));
  return (scope) => {
    for (const { isChosen, run } of ways) if (isChosen(scope)) return run(scope);
    return "";
  };
}

interface Literal {
  readonly type: string;
  readonly value: string;
  readonly isEval?: boolean;
  readonly expression?: readonly Node[];
  readonly operator?: string;
}

function evaluate(node: Node, language: Language): Evaluate {
  const { type, value, isEval, expression, operator } = node as unknown as Literal;
  if (type === "string") {
    if (!isEval || !/[#$]/.test(value)) return () => value;
    return writeAll(language.parse(value), language);
  }
  if (type === "integer") {
    const number = Number.parseInt(value, 10);
    return () => number;
  }
  if (type === "bool" && value !== "null") return () => value === "true";
  if (type === "math")
    return operation(
      operator!,
      expression!.map((part) => evaluate(part, language)),
    );
  if (type === "references") return follow(node as unknown as Reference, language);
  throw LEFT_TO_ENGINE;
}

function operation(operator: string, [left, right]: readonly Evaluate[]): Evaluate {
  const [a, b] = [left!, right!];
  switch (operator) {
    case "&&":
      return (scope) => a(scope) && b(scope);
    case "||":
      return (scope) => a(scope) || b(scope);
    case "not":
      return (scope) => !a(scope);
    case "parenthesis":
      return a;
    case "==":
      // biome-ignore lint/suspicious/noDoubleEquals: the engine compares so
      return (scope) => a(scope) == b(scope);
    case "!=":
      // biome-ignore lint/suspicious/noDoubleEquals: the engine compares so
      return (scope) => a(scope) != b(scope);
    case ">":
      return (scope) => (a(scope) as number) > (b(scope) as number);
    case "<=":
      return (scope) => (a(scope) as number) <= (b(scope) as number);
    default:
      throw LEFT_TO_ENGINE;
  }
}

interface Reference {
  readonly id: string;
  readonly args?: unknown;
  readonly path?: readonly {
    readonly type: string;
    readonly id: string;
    readonly args?: readonly Node[] | false;
  }[];
}

type Step = (value: unknown, scope: Scope) => unknown;

function follow({ id, args, path = [] }: Reference, language: Language): Evaluate {
  if (args !== undefined) throw LEFT_TO_ENGINE;
  const steps: readonly Step[] = path.map((step) => {
    if (step.type === "property") return (value) => property(value, step.id);
    if (step.type === "method")
      return call(
        step.id,
        (step.args || []).map((arg) => evaluate(arg, language)),
        language,
      );
    throw LEFT_TO_ENGINE;
  });
  return (scope) => {
    let value: unknown = Object.hasOwn(scope, id) ? scope[id] : undefined;
    for (const step of steps) {
      if (value === undefined || value === null) return undefined;
      value = step(value, scope);
    }
    return value;
  };
}

function property(value: unknown, name: string): unknown {
  if (typeof value === "string") return undefined;
  if (typeof value !== "object") throw LEFT_TO_ENGINE;
  return Object.hasOwn(value as object, name) ? (value as Record<string, unknown>)[name] : undefined;
}

function call(name: string, args: readonly Evaluate[], language: Language): Step {
  const java = language.stringMethod(name);
  return (value, scope) => {
    if (typeof value === "string" && java)
      return java(
        value,
        args.map((arg) => arg(scope)),
      );
    const own =
      typeof value === "string" || (typeof value === "object" && Object.hasOwn(value as object, name))
        ? (Object(value) as Record<string, unknown>)[name]
        : undefined;
    if (typeof own !== "function") throw LEFT_TO_ENGINE;
    return own.apply(
      value,
      args.map((arg) => arg(scope)),
    );
  };
}
