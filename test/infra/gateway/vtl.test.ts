/** The template engine: it renders as API Gateway's does, and shows nothing of the machine below. */
import { describe, expect, it } from "vitest";
import { compileTemplate } from "../../../infra/local/gateway/vtl.ts";

const context = () => ({
  extendedRequestId: "id",
  requestId: "id",
  requestTimeEpoch: 1,
  httpMethod: "POST",
  resourcePath: "/",
  identity: { sourceIp: "::1", userAgent: "" },
  responseOverride: { header: {} as Record<string, string>, status: undefined as number | undefined },
});
const json = { name: "a'b\"c", n: 5, list: [{ id: 1 }, { id: 2 }], no: null, deep: { text: "x" } };

function render(source: string): string {
  return compileTemplate(source).render(
    { body: JSON.stringify(json), json, headers: { "x-a": "1" }, query: new URLSearchParams("q=2") },
    context(),
  );
}

describe("the template engine", () => {
  it.each([
    ["$input.path('$.name')", "a'b\"c"],
    ["$input.path('$.deep.text')|$input.path('$.list[1].id')", "x|2"],
    ["$input.json('$.list')", '[{"id":1},{"id":2}]'],
    ["$input.params('x-a')$input.params('X-A')$input.params('q')", "112"],
    ["$input.params().header.get('X-A')|$!input.params().querystring.get('q')", "1|2"],
    // An undefined reference shows itself, as in Velocity, unless it is a quiet one.
    ["$nothing|$!nothing|$!input.path('$.missing.deeper')|$!input.path('$.no')", "$nothing|||"],
    ["$context.identity.sourceIp.length()", "3"],
    ["#set($s = 'a.b.c')$s.replaceAll('[.]', '-')|$s.replaceAll('.', 'x')", "a-b-c|xxxxx"],
    [
      "#set($s = 'abc')$s.substring(1, 2)$s.indexOf('c')$s.contains('z')$s.matches('a.c')$s.matches('b')",
      "b2falsetruefalse",
    ],
    ["#foreach($e in $input.path('$.list'))$e.id#if($foreach.hasNext),#end#end", "1,2"],
    ["#foreach($e in $input.path('$.list'))#set($t = \"<$e.id>\")$t#end", "<1><2>"],
    ["$input.path('$.list').size()", "2"],
    ["#set($m = {'k': 'v'})$m.k$m['k']", "vv"],
    ["$util.base64Decode($util.base64Encode('é$x'))", "é$x"],
    ["$util.escapeJavaScript($input.path('$.name'))", "a\\'b\\\"c"],
    ["$util.urlEncode('a b&c')|$util.urlDecode('a%20b')", "a%20b%26c|a b"],
    ["$util.parseJson('{\"a\":[7]}').a[0]", "7"],
    ["no directive at all", "no directive at all"],
  ])("renders %s as %s", (source, expected) => {
    expect(render(source)).toBe(expected);
  });

  it.each([
    "$!input.constructor",
    "$!context.__proto__.x",
    "$!util.toString.constructor",
    "$!input.path('$.constructor')",
  ])("shows nothing of the machine below at %s", (source) => {
    expect(render(source)).toBe("");
  });

  it("lets a template override the response's status and headers", () => {
    const written = context();
    compileTemplate(
      "#set($context.responseOverride.status = 413)#set($context.responseOverride.header.Retry-After = '1')",
    ).render({ body: "", json: {}, headers: {} }, written);
    expect(written.responseOverride).toEqual({ status: 413, header: { "Retry-After": "1" } });
  });

  it("keeps nothing from one rendering to the next", () => {
    const template = compileTemplate("$!seen#set($seen = 'x')");
    const input = { body: "", json: {}, headers: {} };
    expect([template.render(input, context()), template.render(input, context())]).toEqual(["", ""]);
  });

  it("refuses a path that it does not understand, instead of guessing", () => {
    expect(() => render("$input.path('$..name')")).toThrow(/only names and numbers/);
  });

  it("fails at the start for a template that cannot be parsed", () => {
    expect(() => compileTemplate("#if($a")).toThrow();
  });
});
