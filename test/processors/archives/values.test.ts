import { expect, it } from "vitest";
import { eachChange, rowOf, valuesOf } from "../../../processors/archives/values.ts";
import { ARCHIVE_COLUMNS } from "../../../processors/model/archive.ts";
import { row } from "../../conformance/archive.ts";

const before = row(1, {});

/** What is told of a row that follows `before`. */
function told(after: typeof before): [place: number, value: unknown][] {
  const changes: [number, unknown][] = [];
  eachChange(after, before, (place, value) => changes.push([place, value]));
  return changes;
}

it("names no column between equal rows", () => {
  expect(told({ ...before })).toEqual([]);
});

it.each(ARCHIVE_COLUMNS.map(({ name }, place) => [name, place] as const))(
  "tells a change of %s by its place among the values of a row",
  (name, place) => {
    // No value of any row is equal to this.
    const changed = Symbol(name);
    const after = { ...before, [name]: changed };
    expect(told(after)).toEqual([[place, changed]]);
    expect(valuesOf(after)[place]).toBe(changed);
  },
);

it("makes a row of its values again, in which what a file lacks is null", () => {
  expect(rowOf(valuesOf(before))).toEqual(before);
  const bare = rowOf(
    valuesOf(before).map((value, place) => (ARCHIVE_COLUMNS[place]!.nullable ? undefined : value)),
  );
  for (const { name, nullable } of ARCHIVE_COLUMNS)
    expect(bare[name], name).toBe(nullable ? null : before[name]);
});
