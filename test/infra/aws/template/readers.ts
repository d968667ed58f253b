/** Of the template: who may read, and how they sign in. */
import { Duration } from "aws-cdk-lib";
import { describe, expect, it } from "vitest";
import { Rivulet } from "../../../../infra/aws/rivulet.ts";
import { SESSION_COOKIE } from "../../../../processors/env.ts";
import { OWNERS, READERS } from "../../../../processors/pipeline/access.ts";
import { bareStack, type Json, type Resource, valuesOf } from "../synth.ts";
import { chosen, cloud } from "./deployments.ts";

describe("the need of a key", () => {
  it("is told to the function that answers, where the operator wants it", () => {
    expect(valuesOf(chosen, "RIVULET_REQUIRE_KEY")).toEqual(["1"]);
    expect(valuesOf(cloud, "RIVULET_REQUIRE_KEY")).toEqual([]);
  });
});

describe("people who sign in", () => {
  const resource = (type: string): Json => chosen.only(type);

  it("are there only where they are asked for", () => {
    for (const type of ["AWS::Cognito::UserPool", "AWS::Cognito::UserPoolClient"])
      expect(cloud.of(type), type).toEqual([]);
    const patterns = cloud.only("AWS::CloudFront::Distribution").DistributionConfig.CacheBehaviors;
    expect(patterns.map(({ PathPattern }: Json) => PathPattern)).not.toContain("/login/*");
    expect(cloud.only("AWS::ApiGateway::RestApi").Body.paths).not.toHaveProperty("/api/v2/session");
  });

  it("are invited, have a second factor, and outlive the stack", () => {
    const [[, pool]] = chosen.of("AWS::Cognito::UserPool") as [[string, Resource]];
    expect(pool.DeletionPolicy).toBe("Retain");
    expect(pool.Properties).toMatchObject({
      AdminCreateUserConfig: { AllowAdminCreateUserOnly: true },
      DeletionProtection: "ACTIVE",
      MfaConfiguration: "ON",
      EnabledMfas: ["SOFTWARE_TOKEN_MFA"],
      Policies: { PasswordPolicy: { MinimumLength: 12 } },
    });
    const groups = chosen.of("AWS::Cognito::UserPoolGroup").map(([, { Properties }]) => Properties.GroupName);
    expect(groups.toSorted()).toEqual([OWNERS, READERS]);
  });

  it("come by the code grant without a secret, to the sign-in page of this distribution alone", () => {
    const client = resource("AWS::Cognito::UserPoolClient");
    expect(client).toMatchObject({
      AllowedOAuthFlows: ["code"],
      GenerateSecret: false,
      PreventUserExistenceErrors: "ENABLED",
      CallbackURLs: client.LogoutURLs,
    });
    const [[distribution]] = chosen.of("AWS::CloudFront::Distribution") as [[string, Resource]];
    expect(client.CallbackURLs).toEqual([
      { "Fn::Join": ["", ["https://", { "Fn::GetAtt": [distribution, "DomainName"] }, "/login/"]] },
    ]);
    expect(JSON.stringify(client.AllowedOAuthScopes)).toContain("/session");
  });

  it("begin a session with a token that API Gateway itself has checked, on that one route", () => {
    const { paths, components } = resource("AWS::ApiGateway::RestApi").Body;
    const [[pool]] = chosen.of("AWS::Cognito::UserPool") as [[string, Resource]];
    expect(components.securitySchemes.users).toMatchObject({
      "x-amazon-apigateway-authtype": "cognito_user_pools",
      "x-amazon-apigateway-authorizer": { providerARNs: [{ "Fn::GetAtt": [pool, "Arn"] }] },
    });
    expect(paths["/api/v2/session"].post.security).toEqual([{ users: ["rivulet/session"] }]);
    const guarded = Object.values<Json>(paths)
      .flatMap((methods) => Object.values<Json>(methods))
      .filter(({ security }) => security);
    expect(guarded).toHaveLength(1);
  });

  it("have their cookie forwarded to the API, as part of the cache's key, and to nothing else", () => {
    const { CookiesConfig } = resource("AWS::CloudFront::CachePolicy").CachePolicyConfig
      .ParametersInCacheKeyAndForwardedToOrigin;
    expect(CookiesConfig).toEqual({ CookieBehavior: "whitelist", Cookies: [SESSION_COOKIE] });
  });

  it("are sent on by a page that may talk to the user pool, which no other page may", () => {
    const policies = chosen
      .of("AWS::CloudFront::ResponseHeadersPolicy")
      .map(
        ([, { Properties }]) =>
          Properties.ResponseHeadersPolicyConfig.SecurityHeadersConfig.ContentSecurityPolicy
            ?.ContentSecurityPolicy,
      )
      .filter((policy) => JSON.stringify(policy)?.includes("connect-src"));
    expect(policies).toHaveLength(1);
    expect(JSON.stringify(policies[0])).toMatch(/connect-src 'self' https:\/\/.*\.auth\./);
    const written = chosen
      .of("Custom::CDKBucketDeployment")
      .find(([id]) => id.includes("SignIn"))![1].Properties;
    expect(written.Prune).toBe(false);
    const pages = chosen
      .of("Custom::CDKBucketDeployment")
      .find(([id]) => id.includes("PageFiles"))![1].Properties;
    expect(pages.Exclude).toContain("login/config.json");
  });

  it("stay signed in no longer than a day", () => {
    expect(valuesOf(chosen, "RIVULET_SESSION_MS")).toEqual([String(8 * 3_600_000)]);
    const auth = { cognito: { session: Duration.days(2) } };
    expect(
      () =>
        new Rivulet(bareStack("Long"), "Rivulet", {
          sites: [{ id: "a", timeZone: "UTC" }],
          files: new Map(),
          auth,
        }),
    ).toThrow(/RIVULET_SESSION_MS/);
  });
});
