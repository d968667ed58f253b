/** Bins of the quantile sketch in SQL: sketches/quantiles.ts draws the same edges. */
import type { Vital } from "../../model/event.ts";
import { MIN_VALUE, RELATIVE_ACCURACY } from "../../sketches/quantiles.ts";
import { name, type Sql, sql } from "./sql.ts";

const GAMMA = (1 + RELATIVE_ACCURACY) / (1 - RELATIVE_ACCURACY);
const BINS_PER_UNIT = 1 / Math.log(GAMMA);
const scale: Sql = { isSql: true, text: BINS_PER_UNIT.toString(), values: [] };
/** `ln(value / 1e-9)`, without an exponent in the text: Trino reads `1e-9` as a double, DuckDB 0.000000001 as a decimal. */
const shift: Sql = { isSql: true, text: (-Math.log(MIN_VALUE)).toString(), values: [] };

/** Number of the bin that holds a vital's value. */
export const binOf = (vital: Vital): Sql =>
  sql`CAST(CASE WHEN ${name(vital)} <= 0.000000001 THEN 0 WHEN ${name(vital)} IS NOT NULL THEN ceil((ln(CAST(${name(vital)} AS DOUBLE)) + ${shift}) * ${scale}) END AS BIGINT)`;

/** The middle of a bin; adding it to a sketch fills the same bin. */
export const valueOfBin = (bin: number): number =>
  bin === 0 ? 0 : MIN_VALUE * GAMMA ** bin * (1 - RELATIVE_ACCURACY);
