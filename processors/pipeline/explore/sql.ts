/** Pieces of SQL that carry their bound values with them, in the order of the text. Knows no dialect. */
import { invariant } from "../../errors.ts";
import type { Statement, Value } from "../../explorers/explorer.ts";

/** A piece of a statement; made by `sql`, `bound` and `name` only, so no text of a request can be part of its own. */
export interface Sql extends Statement {
  readonly isSql: true;
}

const piece = (text: string, values: readonly Value[] = []): Sql => ({ isSql: true, text, values });

/** A template of SQL: what stands in it are pieces, or whole numbers of our own making. */
export function sql(texts: TemplateStringsArray, ...parts: readonly (Sql | number)[]): Sql {
  let text = texts[0] ?? "";
  const values: Value[] = [];
  for (const [i, part] of parts.entries()) {
    if (typeof part === "number") text += whole(part);
    else {
      text += part.text;
      values.push(...part.values);
    }
    text += texts[i + 1] ?? "";
  }
  return piece(text, values);
}

function whole(value: number): string {
  invariant(Number.isSafeInteger(value), () => `${value} is no whole number, and 1 would be`);
  return String(value);
}

/** A value of the request: a question mark. Athena takes them in WHERE only, so that is where all of them stand. */
export const bound = (value: Value): Sql => piece("?", [value]);

/** A column or table of ours. */
export function name(identifier: string): Sql {
  invariant(/^[a-z][a-z0-9_]*$/.test(identifier), () => `${identifier} is no name as [a-z][a-z0-9_]*`);
  return piece(`"${identifier}"`);
}

export const nothing = piece("");

export function joined(parts: readonly Sql[], separator: Sql): Sql {
  return parts.reduce((all, part, i) => (i === 0 ? part : sql`${all}${separator}${part}`), nothing);
}

export const listed = (parts: readonly Sql[]): Sql => joined(parts, sql`, `);

/** All must hold; true where there is none. */
export const every = (conditions: readonly Sql[]): Sql =>
  conditions.length === 0
    ? sql`TRUE`
    : joined(
        conditions.map((one) => sql`(${one})`),
        sql` AND `,
      );

export const some = (conditions: readonly Sql[]): Sql =>
  conditions.length === 0
    ? sql`FALSE`
    : joined(
        conditions.map((one) => sql`(${one})`),
        sql` OR `,
      );
