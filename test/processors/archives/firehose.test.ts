import { FirehoseClient } from "@aws-sdk/client-firehose";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Archive } from "../../../processors/archives/archive.ts";
import { firehoseArchive } from "../../../processors/archives/firehose.ts";
import { httpHandler } from "../../../processors/aws.ts";
import { ARCHIVE_COLUMNS, type ArchiveRow } from "../../../processors/model/archive.ts";
import { archiveConformance, onceInOrder, row } from "../../conformance/archive.ts";
import { type FirehoseDouble, firehoseDouble } from "../../kit/firehose.ts";

const clientOf = ({ endpoint }: FirehoseDouble): FirehoseClient =>
  new FirehoseClient({
    endpoint,
    region: "eu-west-1",
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
    requestHandler: httpHandler(),
    maxAttempts: 1,
  });

/** Rows as Glue would read them: what a line lacks is null. */
const storedIn = ({ calls }: FirehoseDouble): ArchiveRow[] =>
  onceInOrder(
    calls
      .flat()
      .flatMap((data) => data.split("\n").slice(0, -1))
      .map((line) => {
        const json = JSON.parse(line) as Record<string, unknown>;
        const values = ARCHIVE_COLUMNS.map(({ name, type }) => [
          name,
          type === "map" ? Object.entries(json[name] as Record<string, string>) : (json[name] ?? null),
        ]);
        return Object.fromEntries(values) as ArchiveRow;
      }),
  );

archiveConformance("behind Firehose", async () => {
  const double = await firehoseDouble();
  const client = clientOf(double);
  const archive = firehoseArchive({ deliveryStream: "rows", client });
  return {
    archive,
    stored: async () => storedIn(double),
    close: async () => {
      client.destroy();
      await double.close();
    },
  };
});

describe("the archive behind Firehose", () => {
  let double: FirehoseDouble;
  let client: FirehoseClient;
  let archive: Archive;
  let waits: number[];
  beforeEach(async () => {
    double = await firehoseDouble();
    client = clientOf(double);
    waits = [];
    const wait = async (ms: number): Promise<void> => void waits.push(ms);
    archive = firehoseArchive({ deliveryStream: "rows", client, wait, random: () => 0.5 });
  });
  afterEach(async () => {
    client.destroy();
    await double.close();
  });

  const large = (n: number): ArchiveRow => row(n, { props: [["text", "x".repeat(60_000)]] });

  it("packs many rows into a record, because each is billed as 5 KB at least, and no more than are taken out of it", async () => {
    await archive.write(Array.from({ length: 1_001 }, (_, i) => row(i + 1)));
    expect(double.calls.flat()).toHaveLength(3);
    expect(storedIn(double)).toHaveLength(1_001);
  });

  it("keeps to the service's limits for records and calls", async () => {
    await archive.write(Array.from({ length: 100 }, (_, i) => large(i + 1)));
    expect(double.calls.length).toBeGreaterThan(1);
    expect(storedIn(double)).toHaveLength(100);
  });

  it("sends only the refused records again, each time after a longer wait", async () => {
    double.refuse([1], [0]);
    await archive.write(Array.from({ length: 20 }, (_, i) => large(i + 1)));
    expect(double.calls.map(({ length }) => length)).toEqual([2, 0, 1]);
    expect(storedIn(double)).toHaveLength(20);
    expect(waits).toEqual([100, 200]);
  });

  it("gives up on records that are refused again and again, so that the batch comes again", async () => {
    double.refuse(...Array.from({ length: 6 }, () => [0]));
    await expect(archive.write([row(1)])).rejects.toMatchObject({ code: "throttled" });
    expect(waits).toHaveLength(5);
  });

  it.each([
    { refusal: "outage" as const, code: "unavailable" },
    { refusal: "gone" as const, code: "not_found" },
  ])("throws $code when the service answers with $refusal", async ({ refusal, code }) => {
    double.refuse(refusal);
    await expect(archive.write([row(1)])).rejects.toMatchObject({ code });
  });
});
