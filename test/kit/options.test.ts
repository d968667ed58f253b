/** A slip in the options of a replay is told by name. */
import { describe, expect, it } from "vitest";
import type { StreamLine } from "../../processors/model/streamfile.ts";
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

it("registers every site that a recording names, though one event counts for two or a body names none", async () => {
  const at = Date.UTC(2026, 0, 5, 9);
  const posted = (body: object): StreamLine => ({
    arrival: at,
    envelope: {
      route: "/api/event",
      id: JSON.stringify(body),
      at,
      ip: "192.0.2.1",
      ua64: "",
      country: "",
      trace64: "",
      origin64: "",
      body64: Buffer.from(JSON.stringify({ n: "pageview", u: "https://host.example/", ...body })).toString(
        "base64",
      ),
    },
  });
  const { query } = await replay([posted({ d: "a.example,b.example" }), posted({})]);
  for (const site_id of ["a.example", "b.example", "host.example"]) {
    const { results } = await query({ site_id, metrics: ["pageviews"], date_range: "all" });
    expect(results[0]?.metrics, site_id).toEqual([1]);
  }
});
