/** The order of the fold, for rows as journals and files hold them. */
import { compareRows } from "../model/archive.ts";
import { placeOf, type Values } from "./values.ts";

const SHARD = placeOf("shard");
const SEQUENCE = placeOf("sequence");
const INDEX = placeOf("index");

const identityOf = (row: Values): { shard: string; sequence: string; index: number } => ({
  shard: row[SHARD] as string,
  sequence: row[SEQUENCE] as string,
  index: row[INDEX] as number,
});

/** In the order of the fold, each row once. */
export function sortedOnce(rows: readonly Values[]): Values[] {
  const sorted = rows.map((row) => ({ row, id: identityOf(row) })).sort((a, b) => compareRows(a.id, b.id));
  return sorted
    .filter(({ id }, i) => i === 0 || compareRows(sorted[i - 1]!.id, id) !== 0)
    .map(({ row }) => row);
}
