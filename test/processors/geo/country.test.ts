import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countryLookup } from "../../../processors/geo/country.ts";
import { Random } from "../../kit/random.ts";
import { COUNTRIES } from "../../kit/shop.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_261_130);

const lookup = await countryLookup();

describe("countryLookup", () => {
  it.each([
    ["8.8.8.8", "US"],
    ["210.89.164.90", "KR"],
    ["::ffff:8.8.8.8", "US"],
    ["::ffff:808:808", "US"],
    ["0:0:0:0:0:FFFF:8.8.8.8", "US"],
    ["2001:4860:4860::8888", "US"],
    ["2001:4860:4860:0:0:0:0:8888", "US"],
  ])("finds the country of %s", (ip, country) => {
    expect(lookup(ip)).toBe(country);
  });

  it.each([
    ["private", "10.0.0.1"],
    ["private", "172.16.0.1"],
    ["private", "172.31.255.255"],
    ["private, though the table lists its neighbourhood", "192.168.0.1"],
    ["loopback", "127.0.0.1"],
    ["loopback", "::1"],
    ["unspecified", "::"],
    ["carrier-grade NAT", "100.64.0.1"],
    ["link-local", "169.254.1.1"],
    ["link-local with a zone", "fe80::1%eth0"],
    ["unique local", "fd00::1"],
    ["documentation", "203.0.113.5"],
    ["documentation", "2001:db8::1"],
    ["multicast", "224.0.0.1"],
    ["broadcast", "255.255.255.255"],
    ["mapped private", "::ffff:10.0.0.1"],
  ])("has no country for a %s address, %s", (_, ip) => {
    expect(lookup(ip)).toBe("");
  });

  it.each([
    "",
    "abc",
    "1.2.3",
    "1.2.3.4.5",
    "8.8.8.8:80",
    "[2001:4860::1]",
    "8.8.8.8, 1.1.1.1",
    "256.1.1.1",
    "08.8.8.8",
  ])("has no country for '%s', which is no address", (ip) => {
    expect(lookup(ip)).toBe("");
  });

  it("answers every address with a code or nothing", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), (ip) => {
        expect(lookup(ip)).toMatch(/^([A-Z]{2})?$/);
      }),
      { numRuns: 1_000 },
    );
  });

  it("answers for neighbours what it answers for each alone, though it remembers networks", async () => {
    const random = new Random(SEED);
    const edges = [
      "10.0.0",
      "9.255.255",
      "172.15.255",
      "172.16.0",
      "192.0.1",
      "192.0.2",
      "192.0.3",
      "203.0.113",
    ];
    const networks = Array.from({ length: 40 }, () =>
      [random.between(1, 223), random.below(256), random.below(256)].join("."),
    );
    // Each of these sees one address of a network.
    const alone = await Promise.all([0, 1, 2].map(() => countryLookup()));
    for (const network of [...networks, ...edges])
      for (const [i, last] of [0, random.between(1, 254), 255].entries()) {
        const ip = `${network}.${last}`;
        expect({ ip, code: lookup(ip) }).toEqual({ ip, code: alone[i]!(ip) });
      }
  });

  it("agrees with the addresses of the generated visitors", () => {
    for (const { code, prefixes } of COUNTRIES) {
      for (const prefix of prefixes)
        expect({ prefix, code: lookup(`${prefix}.77.1`) }).toEqual({ prefix, code });
    }
  });
});
