/** The commands that manage sites and grants, on a DynamoDB table. */
import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createTable } from "../../../processors/stores/dynamodb-table.ts";
import { type Double, LOCAL_AWS, localClient, startDynalite } from "../../conformance/doubles.ts";
import { runHere } from "../../kit/command.ts";
import { runCommand } from "../../kit/server.ts";

let dynalite: Double;
let client: DynamoDBClient;
const environment = () => ({
  ...LOCAL_AWS,
  AWS_ENDPOINT_URL_DYNAMODB: dynalite.endpoint,
});
const run = (...args: string[]) => runHere(args, environment());
const STORE = ["--store", "dynamodb:rivulet"];

beforeAll(async () => {
  dynalite = await startDynalite();
  client = new DynamoDBClient(localClient(dynalite.endpoint));
  await createTable({ table: "rivulet", client });
});
afterAll(async () => {
  client?.destroy();
  await dynalite?.close();
});

it("add, list and remove as on one machine", async () => {
  // As people run it, once: in a process of its own.
  expect(await runCommand(["sites", "add", "shop@Asia/Seoul", ...STORE], environment())).toMatchObject({
    code: 0,
  });
  expect((await run("sites", "list", ...STORE)).output).toBe("shop\tAsia/Seoul\n");
  expect(
    await run("sites", "set", "shop", "--keep-hours", "3y", "--keep-archive", "90d", ...STORE),
  ).toMatchObject({
    code: 0,
  });
  const kept = await run("sites", "list", ...STORE);
  expect(kept.output).toBe("shop\tAsia/Seoul\thours 1095 days, archive 90 days\n");
  expect((await run("sites", "set", "shop", "--keep-hours", "forever", ...STORE)).output).toContain(
    "shop keeps archive 90 days;",
  );
  expect((await run("sites", "set", "shop", "--keep-archive", "forever", ...STORE)).output).toBe(
    "shop keeps hours and archive for ever\n",
  );
  // A list of keys has a line for each.
  const twoLines = await run("keys", "add", "--site", "shop", "--label", "a\nb", ...STORE);
  expect([twoLines.code, twoLines.output]).toEqual([1, expect.stringContaining("on one line")]);
  const { output } = await run("keys", "add", "--site", "shop", ...STORE);
  expect(output).toContain(`--site shop ${STORE.join(" ")}" takes it back`);
  const id = /rvk_([0-9a-f]{12})_/.exec(output)?.[1] ?? "";
  expect((await run("keys", "list", "--site", "shop", ...STORE)).output).toContain(id);
  expect(await run("keys", "rm", id, "--site", "shop", ...STORE)).toMatchObject({ code: 0 });
  expect((await run("keys", "list", "--site", "shop", ...STORE)).output).toBe('site "shop" has no key\n');
  expect(await run("sites", "rm", "shop", ...STORE)).toMatchObject({ code: 0 });
});

it("make no table, whatever its name was mistyped as, and say that there is none", async () => {
  for (const args of [
    ["sites", "list"],
    ["sites", "add", "shop"],
  ]) {
    const { code, output } = await run(...args, "--store", "dynamodb:rivulte");
    expect(code).toBe(1);
    expect(output).toMatch(/^rivulet: .*rivulte/);
    expect(output).not.toMatch(/^\s+at /m);
  }
  expect((await client.send(new ListTablesCommand({}))).TableNames).toEqual(["rivulet"]);
});

it("list of an alert rule what it goes by, and nothing else", async () => {
  await run("sites", "add", "watched", ...STORE);
  const add = async (...rule: string[]): Promise<string> => {
    const { code, output } = await run("alerts", "add", ...rule, "--site", "watched", ...STORE);
    expect(code).toBe(0);
    return output.trim().split("\t").slice(1).join(", ");
  };
  expect(await add("silence")).toBe("silence, 30 min, hold-off 60 min");
  expect(await add("lag")).toBe("lag, limit 60, 1 min, hold-off 60 min");
  expect(await add("above", "--metric", "events", "--limit", "9")).toBe(
    "above, events, limit 9, 5 min, hold-off 60 min",
  );
  const { output } = await run("alerts", "list", "--site", "watched", ...STORE);
  expect(output.trim().split("\n")).toHaveLength(3);
});

it("say of a rule with a webhook that a deployment on AWS posts nothing there", async () => {
  await run("sites", "add", "posted", ...STORE);
  const rule = ["add", "silence", "--site", "posted", "--webhook", "https://hooks.example/T0"];
  const { code, output } = await run("alerts", ...rule, ...STORE);
  expect([code, output]).toEqual([0, expect.stringContaining("a deployment on AWS posts to no webhook")]);
});
