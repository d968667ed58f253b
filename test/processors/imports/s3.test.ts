import { type GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type S3Objects, s3Objects, s3Report } from "../../../processors/imports/s3.ts";
import { localClient } from "../../conformance/doubles.ts";
import { describeRawFile } from "../../conformance/rawfile.ts";
import { type Imports, startImports } from "../../kit/imports.ts";

let imports: Imports;
let objects: S3Objects;
beforeAll(async () => {
  imports = await startImports({ prefix: "imports/", maxReceiveCount: 5, queueAttributes: {} });
  objects = s3Objects({ bucket: imports.bucket, client: imports.s3, partBytes: 256 * 1024 });
});
afterAll(() => imports?.close());

const put = (Key: string, Body: Uint8Array) =>
  imports.s3.send(new PutObjectCommand({ Bucket: imports.bucket, Key, Body }));

describeRawFile("s3", async (name, bytes) => {
  await put(`folder/${name}`, bytes);
  return (await objects.open(`folder/${name}`))!;
});

describe("an object in S3", () => {
  it("is asked again for a part whose answer broke off", async () => {
    await put("broken", Buffer.from("0123456789"));
    const client = new S3Client({ ...localClient(imports.endpoint), forcePathStyle: true });
    const asked: string[] = [];
    client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          const result = await next(args);
          if (commandName !== "GetObjectCommand") return result;
          const { Range, IfMatch } = args.input as GetObjectCommand["input"];
          if (asked.push(`${Range} ${IfMatch}`) > 1) return result;
          const { Body } = result.output as { Body: { transformToByteArray(): Promise<Uint8Array> } };
          const bytes = await Body.transformToByteArray();
          Body.transformToByteArray = async () => bytes.subarray(0, 3);
          return result;
        },
      { step: "initialize" },
    );
    const file = await s3Objects({ bucket: imports.bucket, client }).open("broken");
    expect(Buffer.from(await file!.slice(2, 8)).toString()).toBe("234567");
    expect(asked).toHaveLength(2);
    expect(asked[0]).toMatch(/^bytes=2-7 "[0-9a-f]{32}"$/);
    client.destroy();
  });

  it("is read in one version: replaced meanwhile it is an outage that passes", async () => {
    await put("replaced", Buffer.from("0123456789"));
    const file = await objects.open("replaced");
    await put("replaced", Buffer.from("9876543210"));
    await expect(file!.slice(0, 4)).rejects.toMatchObject({
      code: "unavailable",
      message: `s3://${imports.bucket}/replaced: replaced while it was read`,
    });
  });

  it("that is not there is nothing", async () => {
    expect(await objects.open("none")).toBeUndefined();
    expect(await objects.text("none")).toBeUndefined();
  });
});

describe("a report in S3", () => {
  it("goes on after what belongs to the ledger's note, whatever a run that broke off wrote beyond it", async () => {
    const first = s3Report(objects, "reports/r", "a.log");
    await first.begin(0);
    first.add(1, "one");
    const noted = await first.flush();
    first.add(7, "never noted");
    await first.flush();

    const second = s3Report(objects, "reports/r", "a.log");
    await second.begin(noted);
    expect(await second.flush()).toBe(noted);
    second.add(2, "two: ünï");
    const length = await second.flush();
    const text = await imports.text("reports/r");
    expect(Buffer.byteLength(text)).toBe(length);
    expect(
      text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { file: "a.log", line: 1, reason: "one" },
      { file: "a.log", line: 2, reason: "two: ünï" },
    ]);
  });

  it("is written only when there is something in it, and not beyond 8 MiB", async () => {
    const report = s3Report(objects, "reports/large", "a.log");
    await report.begin(0);
    expect(await report.flush()).toBe(0);
    expect(await objects.text("reports/large")).toBeUndefined();
    for (let line = 1; line <= 10; line++) report.add(line, "x".repeat(1024 * 1024));
    expect(report.lines).toBe(7);
    expect(await report.flush()).toBeLessThanOrEqual(8 * 1024 * 1024);
    expect((await imports.text("reports/large")).trim().split("\n")).toHaveLength(7);
  });
});
