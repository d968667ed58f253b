import { describe, expect, it } from "vitest";
import { pageUrl } from "../../../../processors/pipeline/decode/url.ts";

const parse = (raw: string, withFragment = false) => {
  const url = pageUrl(raw, "u", withFragment);
  if ("reason" in url) throw new Error(url.message);
  return url;
};

describe("pageUrl", () => {
  it.each([
    { raw: "https://Example.COM", hostname: "example.com", path: "/" },
    { raw: "https://www.example.com/A/b/", hostname: "www.example.com", path: "/A/b/" },
    { raw: "http://example.com:8080/a?x=1#y", hostname: "example.com", path: "/a" },
    { raw: "https://user:pw@example.com/a", hostname: "example.com", path: "/a" },
    { raw: "https://example.com./a", hostname: "example.com", path: "/a" },
    { raw: "http://127.0.0.1:8080/demo/", hostname: "127.0.0.1", path: "/demo/" },
    { raw: "http://[::1]/", hostname: "[::1]", path: "/" },
    { raw: "https://한국.kr/차", hostname: "xn--3e0b707e.kr", path: "/차" },
    { raw: "https://example.com/%EC%B0%A8/a%20b", hostname: "example.com", path: "/차/a b" },
    { raw: "https://example.com/a%2Fb%3Fc", hostname: "example.com", path: "/a%2Fb%3Fc" },
    { raw: "https://example.com/a%0Ab", hostname: "example.com", path: "/a%0Ab" },
    { raw: "https://example.com/100%", hostname: "example.com", path: "/100%" },
    { raw: "https://example.com/%ED%95", hostname: "example.com", path: "/%ED%95" },
    { raw: "https://example.com/a/../b", hostname: "example.com", path: "/b" },
    { raw: "https://example.com/a%20", hostname: "example.com", path: "/a" },
  ])("reads $raw as $hostname and $path", ({ raw, hostname, path }) => {
    expect(parse(raw)).toEqual({ hostname, path, query: {} });
  });

  it("keeps campaign tags decoded and drops every other parameter", () => {
    const { query } = parse(
      "https://a.com/?utm_source=A%20b&utm_medium=+cpc+&utm_campaign=&email=x%40y.z&ref=hn&utm_term=%EC%B0%A8",
    );
    expect(query).toEqual({ utm_source: "A b", utm_medium: "cpc", ref: "hn", utm_term: "차" });
  });

  it("takes the first of a tag that is given twice, and removes control characters", () => {
    expect(parse("https://a.com/?source=a%00b&source=c").query).toEqual({ source: "ab" });
  });

  it.each([
    { query: "gclid=1", clickId: "gclid" },
    { query: "gbraid=1", clickId: "gclid" },
    { query: "wbraid=1", clickId: "gclid" },
    { query: "msclkid=1", clickId: "msclkid" },
    { query: "fbclid=1&gclid=2", clickId: "gclid" },
    { query: "fbclid=1", clickId: "fbclid" },
    { query: "ttclid=1", clickId: "ttclid" },
    { query: "twclid=1", clickId: "twclid" },
    { query: "li_fat_id=1", clickId: "li_fat_id" },
    { query: "gclid=", clickId: undefined },
  ])("knows $query as a click id without keeping its value", ({ query, clickId }) => {
    expect(parse(`https://a.com/?${query}`).clickId).toBe(clickId);
    expect(JSON.stringify(parse(`https://a.com/?${query.replace("1", "secret")}`))).not.toContain("secret");
  });

  it("keeps the fragment only for sites that route by it", () => {
    expect(parse("https://a.com/app#/cart", true).path).toBe("/app#/cart");
    expect(parse("https://a.com/app#/cart").path).toBe("/app");
  });

  it("takes a long query for what it is worth, and refuses what no server would have taken", () => {
    expect(parse(`https://a.com/?x=${"x".repeat(16_000)}&utm_source=hn`).query).toEqual({ utm_source: "hn" });
    expect(pageUrl(`https://a.com/?x=${"x".repeat(16_384)}`, "u")).toEqual({
      reason: "too_large",
      message: "u: over 16384 characters",
    });
  });
});
