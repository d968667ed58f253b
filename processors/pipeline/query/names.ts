/**
 * Dimensions that show the values of another one by name. Everything is counted by what is stored; names are put in its
 * place when a request comes in and when its rows go out, and only here.
 */
import { CITY_NAME, COUNTRY_NAME } from "../../model/dimensions.ts";
import { predicate } from "./filter.ts";
import { checkPatterns } from "./patterns.ts";
import type { Filter, QueryRequest } from "./request.ts";

interface Named {
  /** The dimension that is stored. */
  readonly of: string;
  readonly nameOf: (value: string) => string;
  /** Every value that may be stored; undefined where names are what is stored. */
  readonly values?: () => readonly string[];
}

const LETTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
/** Two letters that are no country's have no name and stand for themselves. */
const CODES = LETTERS.flatMap((first) => LETTERS.map((second) => first + second));
/** Made when it is first needed: loading its data would delay every start by some 50 ms. */
let english: Intl.DisplayNames | undefined;
function countryName(code: string): string {
  if (!/^[A-Z]{2}$/.test(code)) return code;
  english ??= new Intl.DisplayNames("en", { type: "region" });
  return english.of(code) ?? code;
}

const NAMES: ReadonlyMap<string, Named> = new Map<string, Named>([
  [
    COUNTRY_NAME,
    {
      of: "visit:country",
      nameOf: remembered(countryName),
      values: () => CODES,
    },
  ],
  [CITY_NAME, { of: "visit:city", nameOf: (city) => city }],
]);

/** Rows are put in order by names, each compared many times. There are few of them. */
function remembered(nameOf: (value: string) => string): (value: string) => string {
  const known = new Map<string, string>();
  return (value) => {
    const name = known.get(value) ?? nameOf(value);
    known.set(value, name);
    return name;
  };
}

/** The dimension that holds the values of one that is asked for. */
export const storedAs = (dimension: string): string => NAMES.get(dimension)?.of ?? dimension;

/** A stored value as it is shown under the dimension that was asked for. */
export const shownAs = (dimension: string, value: string): string =>
  NAMES.get(dimension)?.nameOf(value) ?? value;

/**
 * The same question about what is stored; `dimensions` and `orderBy` stay as they were sent. Throws `bad_request` for
 * patterns that are none.
 */
export const stored = async (request: QueryRequest): Promise<QueryRequest> => ({
  ...request,
  breakdown: [...new Set(request.breakdown.map(storedAs))],
  filters: await storedFilters(request.filters),
});

export async function storedFilters(filters: readonly Filter[]): Promise<Filter[]> {
  await checkPatterns(filters);
  return filters.map(storedFilter);
}

function storedFilter(filter: Filter): Filter {
  switch (filter.kind) {
    case "and":
    case "or":
      return { ...filter, filters: filter.filters.map(storedFilter) };
    case "not":
    case "has_done":
      return { ...filter, filter: storedFilter(filter.filter) };
    default: {
      const named = NAMES.get(filter.dimension);
      if (!named) return filter;
      if (!named.values) return { ...filter, dimension: named.of };
      const passes = predicate([filter]);
      const isNegative = filter.operator.endsWith("_not");
      const meant = named.values().filter((value) => passes(named.nameOf(value)) !== isNegative);
      return {
        kind: "test",
        operator: isNegative ? "is_not" : "is",
        dimension: named.of,
        // No stored value is empty.
        values: meant.length > 0 ? meant : [""],
        caseSensitive: true,
      };
    }
  }
}
