/** A slip in the options of a replay is told by name. */
import { describe, expect, it } from "vitest";
import { checkOptions } from "./options.ts";
import { replay } from "./replay.ts";

describe("the options of a replay", () => {
  it("take true for some and false for none", () => {
    expect(checkOptions({ duplicates: true, shuffle: true, lateBy: true, crashAt: true })).toMatchObject({
      duplicates: 0.2,
      shuffle: 5_000,
      lateBy: 600_000,
      crashAt: "random",
    });
    expect(checkOptions({ duplicates: false, shuffle: false, lateBy: false, crashAt: false })).toMatchObject({
      duplicates: 0,
      shuffle: 0,
      lateBy: 0,
      crashAt: [],
    });
  });

  it("take one number or several for crashes and splits", () => {
    expect(checkOptions({ crashAt: 3, reshardAt: [10, 20] })).toMatchObject({
      crashAt: [3],
      reshardAt: [10, 20],
    });
  });

  it.each([
    ["seed", "abc"],
    ["duplicates", 2],
    ["shuffle", -1],
    ["lateBy", "1h"],
    ["crashAt", "yes"],
    ["crashAt", { line: 3 }],
    ["reshardAt", true],
    ["shards", 0],
    ["speed", 0],
    ["shufle", 1],
  ])("name %s when it is %j", async (name, value) => {
    await expect(replay([], { [name]: value })).rejects.toMatchObject({
      code: "bad_request",
      message: expect.stringMatching(`option ${name}:`),
    });
  });
});
