import { describe, expect, it } from "vitest";
import { noticesOf, placeOf } from "../../../../processors/pipeline/import/notices.ts";

const message = (event: unknown): string =>
  JSON.stringify({
    Type: "Notification",
    TopicArn: "t",
    Message: typeof event === "string" ? event : JSON.stringify(event),
  });
const record = (key: unknown, bucket: unknown = "b") => ({
  s3: { bucket: { name: bucket }, object: { key } },
});

describe("a notification", () => {
  it.each([
    { encoded: "imports/a/x.log", key: "imports/a/x.log" },
    { encoded: "imports/a/two+words.log", key: "imports/a/two words.log" },
    { encoded: "imports/a/1%2B1.log", key: "imports/a/1+1.log" },
    { encoded: "imports/a/100%25+%C3%BC.log", key: "imports/a/100% ü.log" },
    { encoded: "imports/a/%F0%9F%90%9F.log", key: "imports/a/🐟.log" },
  ])("means $key by $encoded", ({ encoded, key }) => {
    const [notice] = noticesOf(message({ Records: [record(encoded)] }));
    expect(notice).toMatchObject({ bucket: "b", key });
    expect(noticesOf(message(notice!.text)), "told again").toEqual([notice]);
  });

  it("may name several objects, or be a test of S3 that names none", () => {
    expect(noticesOf(message({ Records: [record("x"), record("y")] })).map(({ key }) => key)).toEqual([
      "x",
      "y",
    ]);
    expect(noticesOf(message({ Service: "Amazon S3", Event: "s3:TestEvent", Bucket: "b" }))).toEqual([]);
  });

  it.each([
    { what: "no JSON", body: "{", says: "not a notification of SNS" },
    {
      what: "S3's event without SNS",
      body: JSON.stringify({ Records: [record("x")] }),
      says: "not a notification of SNS",
    },
    { what: "a message that is no JSON", body: message("hello"), says: "Message: not a JSON object" },
    { what: "no records", body: message({ Records: {} }), says: "Message.Records: not a list" },
    {
      what: "no key",
      body: message({ Records: [record("x"), record(5)] }),
      says: "Message.Records[1].s3: no bucket.name",
    },
    { what: "nothing for a record", body: message({ Records: [null] }), says: "Message.Records[0].s3" },
    {
      what: "a key that is not encoded",
      body: message({ Records: [record("100%")] }),
      says: "key: not URL-encoded",
    },
  ])("is refused with the part that is wrong ($what)", ({ body, says }) => {
    expect(() => noticesOf(body)).toThrow(says);
  });
});

describe("a key", () => {
  it("says of which site the file is, whether all of it counts, and where its report goes", () => {
    expect(placeOf("imports/example.com/a.log")).toEqual({
      site: "example.com",
      all: false,
      mappingKey: "imports/example.com/mapping.json",
      reportKey: "reports/example.com/a.log.report",
    });
    expect(placeOf("imports/example.com/all/2026/11/a b.log")).toEqual({
      site: "example.com",
      all: true,
      mappingKey: "imports/example.com/mapping.json",
      reportKey: "reports/example.com/all/2026/11/a b.log.report",
    });
    expect(placeOf("imports/example.com/deep/all/a.log")).toMatchObject({ all: false });
    expect(placeOf("imports/example.com%2Fblog/a.log")).toEqual({
      site: "example.com/blog",
      all: false,
      mappingKey: "imports/example.com%2Fblog/mapping.json",
      reportKey: "reports/example.com%2Fblog/a.log.report",
    });
    expect(placeOf("imports/100%/a.log")).toMatchObject({ site: "100%" });
  });

  it.each(["imports/example.com/", "imports/example.com/2026/", "imports/example.com/mapping.json"])(
    "that names no file to import means nothing (%s)",
    (key) => expect(placeOf(key)).toBeUndefined(),
  );

  it.each(["imports/a.log", "imports//a.log", "reports/example.com/a.log", "a.log", ""])(
    "without a site is refused (%s)",
    (key) => expect(() => placeOf(key)).toThrow("not imports/SITE/FILE"),
  );
});
