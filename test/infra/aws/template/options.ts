/** Of the template: what a deployment is asked for reaches it, or is refused before anything is deployed. */
import { rmSync } from "node:fs";
import { Duration } from "aws-cdk-lib";
import { describe, expect, it } from "vitest";
import { Rivulet, type RivuletProps } from "../../../../infra/aws/rivulet.ts";
import { bareStack, CERTIFICATE, type Synthesised, synthesise, valuesOf } from "../synth.ts";
import { chosen, cloud } from "./deployments.ts";

describe("a deployment", () => {
  it.each<{ name: string; context: Record<string, string> }>([
    {
      name: "an own domain",
      context: { domain: "stats.example.com", certificate: CERTIFICATE, enhancedFanOut: "true" },
    },
    { name: "no CloudFront", context: { direct: "true", archive: "true", imports: "true", budget: "50" } },
  ])("holds to CloudFormation's rules with $name too", ({ context }) => {
    const { template: valid, outdir } = synthesise({ validate: true, context });
    expect(Object.keys(valid.toJSON().Resources).length).toBeGreaterThan(50);
    rmSync(outdir, { recursive: true });
  });

  it("is not made with an option that says nothing", () => {
    expect(() => synthesise({ context: { shards: "many" } })).toThrow(
      /shards is not a whole number above zero: many/,
    );
    for (const key of [
      "direct",
      "enhancedFanOut",
      "firewall",
      "believeSenders",
      "imports",
      "reserveConcurrency",
    ])
      expect(() => synthesise({ context: { [key]: "yes" } })).toThrow(`${key} is not true or false: yes`);
    expect(() => synthesise({ context: { tracing: "none" } })).toThrow("tracing is not clicks or all: none");
  });

  it.each<{ rule: string; props: Partial<RivuletProps>; says: string }>([
    { rule: "a site", props: { sites: [] }, says: "sites: no list of sites" },
    {
      rule: "sites that are read as they were written",
      props: { sites: [{ id: "a,b", timeZone: "UTC" }] },
      says: 'the handlers would read "a,b@UTC,_canary@UTC" as "a@UTC,b@UTC,_canary@UTC"',
    },
    {
      rule: "names that sites can have, which the functions would refuse with every batch",
      props: { sites: ["shop.example blog.example"] },
      says: 'site id "shop.example blog.example": use 1 to 253 printable characters without spaces',
    },
    { rule: "a shard", props: { stream: { shards: 0 } }, says: "stream.shards is not a whole number from 1" },
    { rule: "whole shards", props: { stream: { shards: 1.5 } }, says: "stream.shards is not" },
    {
      rule: "a throttle that lets something pass",
      props: { throttle: { rate: 0, burst: 10 } },
      says: "throttle.rate is not a whole number from 1",
    },
    {
      rule: "a bound of an address that WAF takes",
      props: { firewall: { perAddress: 9 } },
      says: "firewall.perAddress is not a whole number from 10 to 2000000000: 9",
    },
    {
      rule: "a day in the archive",
      props: { archive: { retention: Duration.days(0) } },
      says: "archive: days to keep is not a whole number from 1",
    },
    {
      rule: "an archive that says for how long",
      props: { archive: 90 as unknown as boolean },
      says: "archive is not true, false or { retention, sites }: 90",
    },
    {
      rule: "somebody who can be told",
      props: { alarms: { email: "ops" } },
      says: "alarms.email is no mail address: ops",
    },
    {
      rule: "a way to read that there is",
      props: { auth: "cognito" as unknown as "shared" },
      says: 'auth is not public, shared or { cognito: {...} }: "cognito"',
    },
    {
      rule: "a path for the script and another for reports",
      props: { scriptPath: "/x", ingestPath: "/x" },
      says: "scriptPath and ingestPath: both are /x",
    },
    {
      rule: "a name instead of an address",
      props: { domain: "https://stats.example.com/" },
      says: "domain is not a host's name such as stats.example.com: https://stats.example.com/",
    },
  ])("has to have $rule, and is told so before anything is deployed", ({ props, says }) => {
    expect(
      () =>
        new Rivulet(bareStack("Wrong"), "Rivulet", {
          sites: ["example.com"],
          files: new Map(),
          ...props,
        }),
    ).toThrow(says);
  });

  it("takes an own domain only together with its certificate", () => {
    expect(() => synthesise({ context: { domain: "stats.example.com" } })).toThrow(/needs a certificate/);
    expect(() => synthesise({ context: { certificate: CERTIFICATE } })).toThrow(/need the domain/);
  });
});

describe("the allowed lateness", () => {
  const variable = (of: Synthesised): string[] => valuesOf(of, "RIVULET_LATENESS_MS");

  it("is the same where events are counted and where answers say what is final", () => {
    expect(variable(cloud).length).toBeGreaterThanOrEqual(2);
    expect(new Set(variable(cloud))).toEqual(new Set(["60000"]));
    expect(new Set(variable(chosen))).toEqual(new Set(["300000"]));
  });

  it("stops the synthesis when it is more than a day", () => {
    expect(() => synthesise({ context: { latenessSeconds: "86401" } })).toThrow(/RIVULET_LATENESS_MS/);
  });
});

describe("sites", () => {
  const variable = (of: Synthesised): string[] => valuesOf(of, "RIVULET_SITES");

  it("reach the functions that register them, with their time zones", () => {
    expect(variable(chosen)).toEqual(Array(2).fill("shop.example@Asia/Seoul,blog.example@UTC,_canary@UTC"));
  });

  it("are demo in UTC when none is named, as on one machine, and the one of the canary", () => {
    expect(variable(cloud)).toEqual(Array(2).fill("demo@UTC,_canary@UTC"));
  });

  it("stop the synthesis when a time zone does not exist or the list is too long for a function", () => {
    expect(() => synthesise({ context: { sites: "a@Mars/Olympus" } })).toThrow(/time zone/);
    const many = Array.from({ length: 400 }, (_, at) => `site-${at}.example`).join(",");
    expect(() => synthesise({ context: { sites: many } })).toThrow(/bytes/);
  });
});
