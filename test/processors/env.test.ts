import { describe, expect, it } from "vitest";
import { ENV, formatSites, latenessOf, parseSites, requireEnv } from "../../processors/env.ts";

describe("the environment", () => {
  it("gives the value of a variable that is set", () => {
    expect(requireEnv({ [ENV.table]: "clicks" }, ENV.table)).toBe("clicks");
  });

  it.each([{ environment: {} }, { environment: { [ENV.table]: "" } }])(
    "names the variable that is missing from $environment",
    ({ environment }) => {
      expect(() => requireEnv(environment, ENV.table)).toThrow(
        expect.objectContaining({ code: "config", message: expect.stringContaining("RIVULET_TABLE") }),
      );
    },
  );
});

describe("the allowed lateness", () => {
  it("is left to the pipeline where none is set", () => {
    expect(latenessOf({})).toEqual({});
    expect(latenessOf({ [ENV.lateness]: "90000" })).toEqual({ allowedLatenessMs: 90_000 });
    expect(latenessOf({ [ENV.lateness]: "0" })).toEqual({ allowedLatenessMs: 0 });
  });

  it.each(["60s", "-1", "1.5", "86400001"])("refuses %s by the variable's name", (text) => {
    expect(() => latenessOf({ [ENV.lateness]: text })).toThrow(
      expect.objectContaining({ code: "config", message: expect.stringContaining("RIVULET_LATENESS_MS") }),
    );
  });
});

describe("the list of sites", () => {
  it("has UTC days where no time zone is named", () => {
    expect(parseSites("a.example, b.example@Asia/Seoul")).toEqual([
      { id: "a.example", timeZone: "UTC" },
      { id: "b.example", timeZone: "Asia/Seoul" },
    ]);
  });

  it("reads back what it writes", () => {
    const sites = [
      { id: "a.example", timeZone: "America/New_York" },
      { id: "한국.example", timeZone: "Asia/Seoul" },
    ];
    expect(parseSites(formatSites(sites))).toEqual(sites);
  });

  it.each(["", "a,", "a@", "a@Mars/Olympus", "a@UTC@UTC", "@UTC", "a,a@Asia/Seoul"])(
    "refuses %j as a matter of configuration",
    (text) => {
      expect(() => parseSites(text)).toThrow(expect.objectContaining({ code: "config" }));
    },
  );
});
