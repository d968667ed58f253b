/** The workflow of a rebuild, run by an interpreter of the States Language over the real steps. */
import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import aslValidator from "asl-validator";
import { StateMachine } from "aws-local-stepfunctions";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { addRebuild } from "../../infra/local/rebuild.ts";
import { terminalOf } from "../../infra/local/terminal.ts";
import { rebuildWorkflow } from "../../infra/workflow.ts";
import type { Archive, ArchivedRows } from "../../processors/archives/archive.ts";
import { archiveObjects } from "../../processors/archives/bucketrows.ts";
import type { ArchiveObjects } from "../../processors/archives/objects.ts";
import { keyedHash } from "../../processors/crypto.ts";
import { ClickstreamError } from "../../processors/errors.ts";
import { rebuildStep } from "../../processors/handlers/rebuildstep.ts";
import { type ArchiveRow, compareRows, partitionOf } from "../../processors/model/archive.ts";
import type { StreamLine } from "../../processors/model/streamfile.ts";
import { hourStart } from "../../processors/model/zone.ts";
import { ShardWorker } from "../../processors/pipeline/aggregate.ts";
import { archiveStore } from "../../processors/pipeline/archive.ts";
import { readEdition } from "../../processors/pipeline/editions.ts";
import { type Erased, isErased, traceOf, withoutErased } from "../../processors/pipeline/erasure.ts";
import { importTotals } from "../../processors/pipeline/import/totals.ts";
import { totalsTable } from "../../processors/pipeline/import/totalstable.ts";
import type { WindowChange } from "../../processors/pipeline/rebuild/change.ts";
import { keysOfRun, type Plan } from "../../processors/pipeline/rebuild/files.ts";
import { rebuild } from "../../processors/pipeline/rebuild/rebuild.ts";
import type { StoredReport } from "../../processors/pipeline/rebuild/steps.ts";
import { decodeItem, partition } from "../../processors/pipeline/rollups.ts";
import { registerSites } from "../../processors/pipeline/sites.ts";
import { memoryStore } from "../../processors/stores/memory.ts";
import type { Store } from "../../processors/stores/store.ts";
import { type ManualClock, manualClock } from "../kit/clock.ts";
import { generate } from "../kit/generate.ts";
import { listening } from "../kit/listening.ts";
import { type BucketDouble, bucketDouble } from "../kit/objects.ts";
import { rollupBytes } from "../kit/rollups.ts";
import { HOUR, SITE } from "../processors/pipeline/lines.ts";
import { compactAll, recordsOf } from "../processors/pipeline/rig.ts";

const FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:rebuild";
const SEED = Number(process.env.RIVULET_SEED ?? 20_261_123);
const definition = rebuildWorkflow(FUNCTION);
const FROM = Date.UTC(2026, 2, 9, 15);
const SHARDS = ["shard-0", "shard-1"];

let double: BucketDouble;
let objects: ArchiveObjects;
beforeAll(async () => {
  double = await bucketDouble();
  objects = archiveObjects(double);
});
afterAll(() => double.close());

interface World {
  readonly clock: ManualClock;
  readonly store: Store;
  readonly site: string;
  readonly rows: ArchiveRow[];
  /** Folds what the archive's own consumer has not folded yet. */
  catchUp(): Promise<void>;
  /** Writes the rows as Firehose lays them out, each twice and out of order. */
  deliver(rows?: readonly ArchiveRow[]): Promise<void>;
}

/** Two shards, counted, and archived by a consumer of its own. */
async function world(site: string, { isArchived = true, events = 120 } = {}): Promise<World> {
  const clock = manualClock(FROM);
  const store = memoryStore({ clock });
  await registerSites(store, clock, [{ id: site, timeZone: "Asia/Kolkata" }]);
  for (let day = Math.floor(FROM / (24 * HOUR)) - 3; day < FROM / (24 * HOUR) + 12; day++)
    await store.put({ pk: "salt", sk: String(day), value: new TextEncoder().encode(`salt of ${day}`) }, 0);
  const rows: ArchiveRow[] = [];
  const kept: Archive = { write: async (more) => void rows.push(...more), close: async () => {} };
  const deps = { clock, hash: keyedHash, randomBytes: () => new Uint8Array(16), country: () => "" };
  const late: (() => Promise<void>)[] = [];
  for (const [i, id] of SHARDS.entries()) {
    const shard = { id, parents: [] };
    const counting = new ShardWorker({ ...deps, store }, shard);
    const archiving = new ShardWorker(
      { ...deps, store: archiveStore(store), archive: kept, countsNothing: true },
      shard,
    );
    const lines: StreamLine[] = [
      ...generate({
        ...{ seed: SEED + i, from: FROM, to: FROM + 8 * HOUR, events },
        ...{ sites: [site], pages: 12, late: 0.1, visitors: 20 },
      }),
    ];
    for (let at = 0; at < lines.length; at += 50) {
      const some = lines.slice(at, at + 50);
      for (const { arrival } of some) if (arrival > clock.now()) clock.advanceTo(arrival);
      await counting.process(recordsOf(some, 1_000 + at));
      const archive = () => archiving.process(recordsOf(some, 1_000 + at)).then(() => {});
      if (isArchived) await archive();
      else late.push(archive);
    }
  }
  clock.advance(24 * HOUR);
  await compactAll(store, clock);
  return {
    ...{ clock, store, site, rows },
    async catchUp() {
      for (const archive of late.splice(0)) await archive();
    },
    async deliver(given = rows) {
      const folders = Map.groupBy(given, ({ at }) => {
        const { dt, hour } = partitionOf(at);
        return `archive/site=${encodeURIComponent(site)}/dt=${dt}/hour=${hour}`;
      });
      for (const [folder, some] of folders)
        for (const name of ["a", "b"])
          await objects.writeRows(`${folder}/${name}.parquet`, some.toReversed());
    },
  };
}

const currentOf = async ({ store, site }: World): Promise<Map<string, string>> =>
  rollupBytes(store, (await readEdition(store, site)).space);

async function pageviewsOf({ store, site }: World): Promise<number> {
  const { space } = await readEdition(store, site);
  let pageviews = 0;
  for (const item of await store.list(partition("hour", space)))
    pageviews += decodeItem(item).rollup?.totals.pageviews ?? 0;
  return pageviews;
}

/** Answers as Step Functions does, by its JSON protocol; executions are run by `run`. */
async function stepFunctionsDouble(
  run: (input: object, name: string) => Promise<unknown>,
): Promise<{ readonly url: string; readonly arn: string } & AsyncDisposable> {
  const arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:Rebuild";
  const ends = new Map<string, object>();
  const answers: Record<string, (asked: Record<string, string>) => object> = {
    StartExecution({ stateMachineArn = "", input = "" }) {
      const executionArn = `${stateMachineArn.replace("stateMachine", "execution")}:run-${ends.size}`;
      ends.set(executionArn, { status: "RUNNING" });
      run(JSON.parse(input) as object, executionArn.split(":").at(-1)!).then(
        (output) => ends.set(executionArn, { status: "SUCCEEDED", output: JSON.stringify(output) }),
        ({ name, message }: Error) =>
          ends.set(executionArn, {
            ...{ status: "FAILED", error: name },
            cause: JSON.stringify({ errorType: name, errorMessage: message, trace: [] }),
          }),
      );
      return { executionArn, startDate: 0 };
    },
    DescribeExecution: ({ executionArn = "" }) => ({ executionArn, ...ends.get(executionArn) }),
  };
  const server = createServer(async (request, response) => {
    const operation = String(request.headers["x-amz-target"]).split(".")[1]!;
    response.setHeader("content-type", "application/x-amz-json-1.0");
    response.end(JSON.stringify(answers[operation]!((await json(request)) as Record<string, string>)));
  });
  const { origin: url, close } = await listening(server);
  return { arn, url, [Symbol.asyncDispose]: close };
}

/** All rows in the bucket, object by object. */
async function archivedOf({ site }: World): Promise<ArchiveRow[]> {
  const found: ArchiveRow[] = [];
  for (const { key } of await objects.list(`archive/site=${site}/`))
    found.push(...(await objects.readRows(key, site)));
  return found;
}

/** The objects that hold rows which go. */
async function keysWith({ site }: World, erased: Erased): Promise<Set<string>> {
  const keys = new Set<string>();
  for (const { key } of await objects.list(`archive/site=${site}/`))
    if ((await objects.readRows(key, site)).some((row) => isErased(row, erased))) keys.add(key);
  return keys;
}

/** What one machine says would change. */
async function changesWithout(
  { clock, store, site, rows }: World,
  erased: Erased,
): Promise<readonly WindowChange[]> {
  const sorted = rows.toSorted(compareRows);
  const once = sorted.filter((row, i) => i === 0 || compareRows(sorted[i - 1]!, row) !== 0);
  const archive: ArchivedRows = {
    async *read() {
      yield once;
    },
  };
  const { archivedSince } = await traceOf(archive, { id: site, timeZone: "Asia/Kolkata" }, erased);
  const order = { site, isTrial: true, archivedSince };
  return (await rebuild({ store, clock, archive: withoutErased(archive, erased) }, order)).changes;
}

const TASKS = ["Begin", "Look whether all is archived", "Plan", "Sort", "Fold", "Merge", "Put", "Compare"];
const ALL_TASKS = [...TASKS, "Note what goes", "Take out", "Switch", "Keep what is", "Give up"];
const WAITS = ["Let the archive catch up", "Let Firehose deliver"];

interface Run {
  readonly run: string;
  readonly input?: object;
  /** Of Parquet in a portion. */
  readonly portionBytes?: number;
  /** Called before each step with its state's name, and how often it was tried before. */
  readonly before?: (state: string, tries: number, event: unknown) => Promise<void> | void;
  /** Called after each step that worked; throwing loses its answer. */
  readonly after?: (state: string, tries: number) => void;
}

/** Runs the deployed definition with the real steps; now and then their time is over. */
async function execute(
  made: World,
  { run, input = {}, portionBytes = 30_000, before, after }: Run,
): Promise<unknown> {
  const tries = new Map<string, number>();
  let asked = 0;
  const deps = {
    ...{ store: made.store, clock: made.clock, objects },
    ...{ hasTime: () => ++asked % 6 !== 0, portionBytes },
  };
  const handlerOf = (state: string) => async (event: unknown) => {
    const key = `${state} ${JSON.stringify(event)}`;
    const tried = tries.get(key) ?? 0;
    tries.set(key, tried + 1);
    await before?.(state, tried, event);
    const answer = await rebuildStep(deps, event as never);
    after?.(state, tried);
    // Only what JSON can say passes between states.
    return JSON.parse(JSON.stringify(answer));
  };
  const zero = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, 0]));
  // It is valid once and for all: the first test says so.
  const machine = new StateMachine(definition as never, { validationOptions: { noValidate: true } } as never);
  return machine.run({ site: made.site, from: "2026-03-01", to: "2026-03-31", ...input } as never, {
    context: { Execution: { Name: run } },
    overrides: {
      taskResourceLocalHandlers: Object.fromEntries(
        ALL_TASKS.map((name) => [name, handlerOf(name)]),
      ) as never,
      waitTimeOverrides: zero(WAITS),
      retryIntervalOverrides: zero(ALL_TASKS),
    },
  }).result;
}

const reportOf = async (run: string): Promise<StoredReport & { failure?: { Error: string } }> =>
  JSON.parse(new TextDecoder().decode(await objects.get(keysOfRun(run).report)));

const failure = (code: "unavailable" | "invariant"): ClickstreamError =>
  Object.assign(new ClickstreamError(code, "made up"), { name: code });

describe("the workflow of a rebuild", () => {
  it("is a valid state machine, and each of its tasks is tried again or given up", () => {
    const { isValid, errorsText } = aslValidator(definition, { checkPaths: true, checkArn: true });
    expect(isValid ? "" : errorsText("\n")).toBe("");
    const found: string[] = [];
    const look = (states: Readonly<Record<string, object>>): void => {
      for (const [name, state] of Object.entries(states) as [string, Record<string, never>][]) {
        if (state.ItemProcessor) look((state.ItemProcessor as { States: Record<string, object> }).States);
        if (state.Type !== "Task") continue;
        found.push(name);
        expect(state, name).toHaveProperty("Retry");
      }
      for (const state of Object.values(states) as { Type: string; Catch?: unknown }[])
        if (state.Type === "Map") expect(state.Catch).toBeDefined();
    };
    look(definition.States);
    expect(found.toSorted()).toEqual(ALL_TASKS.toSorted());
  });

  it(`gives the same bytes where nothing was erased, and switches (RIVULET_SEED=${SEED})`, async () => {
    const made = await world(SITE, { events: 250 });
    await made.deliver();
    const live = await currentOf(made);
    expect(live.size).toBeGreaterThan(150);
    const steps: string[] = [];
    const before = (state: string): void => void steps.push(state);
    const answer = await execute(made, { run: "same", input: { switch: true }, before });
    expect(answer).toMatchObject({ isSwitched: true, changes: 0, incomplete: 0 });
    const once = new Set(made.rows.map((row) => `${row.shard} ${row.sequence} ${row.index}`)).size;
    expect(answer).toHaveProperty("rows", once);
    for (const [name, least] of Object.entries({ Sort: 3, Fold: 2, Put: 3, Compare: 3 }))
      expect(steps.filter((step) => step === name).length, name).toBeGreaterThanOrEqual(least);
    expect((await readEdition(made.store, made.site)).space).not.toBe(made.site);
    made.clock.advance(HOUR);
    await compactAll(made.store, made.clock);
    const rebuilt = await currentOf(made);
    expect([...live.keys()].filter((key) => live.get(key) !== rebuilt.get(key))).toEqual([]);
    expect(rebuilt.size).toBe(live.size);
  });

  it("changes nothing by a step that fails once, before its work or after it", async () => {
    const made = await world("twice.example");
    await made.deliver();
    const live = await currentOf(made);
    const flaky = (name: string, tries: number): void => {
      if (tries === 0 && name !== "Give up") throw failure("unavailable");
    };
    const after = (name: string, tries: number): void => {
      if (tries === 1) flaky(name, 0);
    };
    const answer = await execute(made, {
      ...{ run: "twice", input: { switch: true }, before: flaky, after },
    });
    expect(answer).toMatchObject({ isSwitched: true, changes: 0 });
    made.clock.advance(HOUR);
    await compactAll(made.store, made.clock);
    const rebuilt = await currentOf(made);
    expect([...live.keys()].filter((key) => live.get(key) !== rebuilt.get(key))).toEqual([]);
  });

  it("lists what differs and keeps what is, unless a switch was asked for", async () => {
    const made = await world("less.example");
    const gone = made.rows.find(({ name }) => name === "pageview")!;
    await made.deliver(made.rows.filter(({ visitor }) => visitor !== gone.visitor));
    const live = await currentOf(made);
    const answer = await execute(made, { run: "less" });
    const report = await reportOf("less");
    expect(answer).toMatchObject({ isSwitched: false, changes: report.changes.length });
    const start = Math.floor(gone.at / 60_000) * 60_000;
    const change = report.changes.find((one) => one.granularity === "minute" && one.start === start);
    expect(change?.counts.visitors?.[0]).toBeGreaterThan(change?.counts.visitors?.[1] ?? Infinity);
    const { space, next } = await readEdition(made.store, made.site);
    expect([space, next]).toEqual([made.site, undefined]);
    expect(await currentOf(made)).toEqual(live);
  });

  it("keeps hours of before the archive began, where no days are named", async () => {
    const made = await world("younger.example");
    const [first = 0] = made.rows.map(({ at }) => at).sort((a, b) => a - b);
    await made.deliver(made.rows.filter(({ at }) => at >= first + 4 * HOUR));
    const live = await currentOf(made);
    const days = { from: undefined, to: undefined };
    const answer = await execute(made, { run: "younger", input: { switch: true, ...days } });
    expect(answer).toMatchObject({ isSwitched: true, incomplete: expect.any(Number) });
    made.clock.advance(HOUR);
    await compactAll(made.store, made.clock);
    const rebuilt = await currentOf(made);
    const early = [...live.keys()].filter((key) => Number(/ (\d+)$/.exec(key)?.[1]) < first + 4 * HOUR);
    expect(early.length).toBeGreaterThan(20);
    expect(early.filter((key) => live.get(key) !== rebuilt.get(key))).toEqual([]);
  });

  describe.each([
    ["visitor", ({ visitor }: ArchiveRow) => ({ visitor: visitor! })],
    ["page", ({ page }: ArchiveRow) => ({ page: page! })],
  ] as const)("of an erased %s", (what, erasedIn) => {
    it("only says what would change, unless a switch is asked for", async () => {
      const made = await world(`trial-${what}.example`, { events: 60 });
      await made.deliver();
      const [live, files] = [await currentOf(made), await archivedOf(made)];
      const erase = erasedIn(made.rows.find(({ name }) => name === "pageview")!);
      const answer = await execute(made, { run: `trial-${what}`, input: { erase } });
      const report = await reportOf(`trial-${what}`);
      expect(answer).toMatchObject({ isSwitched: false, changes: report.changes.length });
      expect(report.changes).toEqual(await changesWithout(made, erase));
      expect(report.changes.length).toBeGreaterThan(2);
      expect(await currentOf(made)).toEqual(live);
      expect(await archivedOf(made)).toEqual(files);
    });

    it("takes it out of every object, and counts what is left, even if a step fails at first", async () => {
      const made = await world(`erase-${what}.example`, { events: 60 });
      await made.deliver();
      const erase = erasedIn(made.rows.find(({ name }) => name === "pageview")!);
      const expected = await changesWithout(made, erase);
      const files = await archivedOf(made);
      const after = (name: string, tries: number): void => {
        if (name === "Take out" && tries === 0) throw failure("unavailable");
      };
      const answer = await execute(made, { run: `erase-${what}`, input: { erase, switch: true }, after });
      const left = await archivedOf(made);
      // Each row is there twice.
      const erased = files.filter((row) => isErased(row, erase)).length / 2;
      expect(erased).toBeGreaterThan(0);
      expect(answer).toMatchObject({ isSwitched: true, erased, changes: expected.length, stillCounted: [] });
      expect((answer as { firstChanges: unknown[] }).firstChanges).toEqual(expected.slice(0, 40));
      expect(left).toHaveLength(files.length - 2 * erased);
      expect(left.filter((row) => isErased(row, erase))).toEqual([]);
      if ("page" in erase) expect(left.map((row) => row.visit_entry_page)).not.toContain(erase.page);
      made.clock.advance(HOUR);
      await compactAll(made.store, made.clock);
      const views = left.filter(({ name }) => name === "pageview").length / 2;
      expect(await pageviewsOf(made)).toBe(views);
      // What the files hold now and what is counted are the same.
      const again = await execute(made, { run: `again-${what}` });
      expect(again).toMatchObject({ changes: 0 });
    });
  });

  it("names hours of before the archive began in which an erased page is still counted", async () => {
    const made = await world("still.example", { events: 60 });
    const views = made.rows.filter(({ name }) => name === "pageview").sort((a, b) => a.at - b.at);
    const [first, late = 0] = [views[0]!, views.at(-1)?.at];
    await made.deliver(made.rows.filter(({ at }) => at >= late - 4 * HOUR));
    const days = { from: undefined, to: undefined };
    const answer = await execute(made, { run: "still", input: { erase: { page: first.page! }, ...days } });
    const { stillCounted } = answer as { stillCounted: number[] };
    expect(stillCounted).toContain(hourStart("Asia/Kolkata", first.at));
    expect((await reportOf("still")).stillCounted).toEqual(stillCounted);
  });

  it("is finished by another where an erasure has failed half-way", async () => {
    const made = await world("half.example", { events: 60 });
    await made.deliver();
    const [live, files] = [await currentOf(made), await archivedOf(made)];
    const erase = { page: made.rows.find(({ name }) => name === "pageview")!.page! };
    const expected = await changesWithout(made, erase);
    const input = { erase, switch: true };
    const holders = await keysWith(made, erase);
    const run = "half";
    let taken = 0;
    const after = (state: string): void => {
      if (state === "Take out") taken++;
    };
    /** Fails at the last objects that hold such rows, when all others are rewritten. */
    const before = async (state: string, _: number, event: unknown): Promise<void> => {
      if (state !== "Take out") return;
      const { portions } = JSON.parse(
        new TextDecoder().decode(await objects.get(keysOfRun(run).plan)),
      ) as Plan;
      const last = portions.findLastIndex((keys) => keys.some((key) => holders.has(key)));
      if (last !== (event as { portion: number }).portion) return;
      await vi.waitUntil(() => taken === portions.length - 1, { timeout: 20_000 });
      throw failure("invariant");
    };
    await expect(execute(made, { run, input, portionBytes: 10_000, before, after })).rejects.toThrow();
    expect(await currentOf(made)).toEqual(live);
    const half = (await archivedOf(made)).filter((row) => isErased(row, erase)).length;
    expect(half).toBeGreaterThan(0);
    expect(half).toBeLessThan(files.filter((row) => isErased(row, erase)).length);
    const answer = await execute(made, { run: "rest", input });
    expect(answer).toMatchObject({ isSwitched: true, changes: expected.length, stillCounted: [] });
    expect((answer as { firstChanges: unknown[] }).firstChanges).toEqual(expected.slice(0, 40));
    const left = await archivedOf(made);
    expect(left.filter((row) => isErased(row, erase))).toEqual([]);
    expect(left.map((row) => row.visit_entry_page)).not.toContain(erase.page);
    made.clock.advance(HOUR);
    await compactAll(made.store, made.clock);
    expect(await execute(made, { run: "counted" })).toMatchObject({ changes: 0 });
  });

  it("is started by the command line, which waits for its end and says what it answers", async () => {
    const made = await world("commanded.example", { events: 60 });
    await made.deliver();
    const { visitor } = made.rows.find(({ name }) => name === "pageview")!;
    await using deployed = await stepFunctionsDouble((input, run) => execute(made, { run, input }));
    const said: string[] = [];
    const type = async (...words: string[]): Promise<string[]> => {
      said.length = 0;
      const program = new Command().exitOverride().configureOutput({ writeErr: () => {} });
      addRebuild(
        program,
        terminalOf({ print: (text) => void said.push(...text.split("\n")), warn: () => {} }),
      );
      await program.parseAsync([...words, "--state-machine", deployed.arn], { from: "user" });
      return [...said];
    };
    vi.stubEnv("AWS_ENDPOINT_URL_SFN", deployed.url);
    vi.stubEnv("AWS_ACCESS_KEY_ID", "key");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
    try {
      const trial = await type("rebuild", "--site", made.site, "--dry-run");
      expect(trial[0]).toMatch(/^started arn:aws:states:.*:execution:/);
      expect(trial[1]).toMatch(
        /^commanded\.example: \d+ rows folded into \d+ windows; 0 differ from before$/,
      );
      expect(trial[2]).toBe("  nothing was changed");
      const erased = await type("erase", "--site", made.site, "--visitor-hash", visitor!);
      expect(erased[1]).toMatch(/^commanded\.example: [1-9]\d* rows taken out of the archive$/);
      expect(erased.join("\n")).toMatch(/\n {2}minute .*visitors \d+ -> \d+.*\n {2}switched: /s);
      expect((await archivedOf(made)).filter((row) => row.visitor === visitor)).toEqual([]);
      expect(await type("erase", "--site", made.site, "--page", "/nowhere")).toContain(
        'commanded.example: nothing of it is archived. Is it written as there? Paths begin with "/".',
      );
      await expect(type("rebuild", "--site", "typo.example")).rejects.toThrow(
        /^the execution ended: FAILED, .*site "typo\.example" is not registered$/,
      );
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it("waits until the archive's consumer has handed over what was counted", async () => {
    const made = await world("behind.example", { isArchived: false });
    // Totals have no rows that anybody could wait for.
    const totals = totalsTable("totals.csv", "date,visitors,pageviews\n2025-01-01,3,5\n");
    await importTotals(made, { id: made.site, timeZone: "Asia/Kolkata" }, totals);
    let looks = 0;
    const before = async (state: string): Promise<void> => {
      if (state !== "Look whether all is archived") return;
      if (++looks > 3) throw failure("invariant");
      if (looks < 3) return;
      await made.catchUp();
      await made.deliver();
    };
    const answer = await execute(made, { run: "behind", input: { switch: true }, before });
    expect(looks).toBe(3);
    expect(answer).toMatchObject({ isSwitched: true, changes: 0 });
  });

  it("gives up what was begun when a step fails for good, and says why", async () => {
    const made = await world("broken.example");
    await made.deliver();
    const before = (state: string): void => {
      if (state === "Fold") throw failure("invariant");
    };
    await expect(execute(made, { run: "broken", input: { switch: true }, before })).rejects.toThrow();
    const { space, next } = await readEdition(made.store, made.site);
    expect([space, next]).toEqual([made.site, undefined]);
    expect((await reportOf("broken")).failure?.Error).toBe("invariant");
  });

  it.each([
    { field: "site", input: { site: "" } },
    { field: "from", input: { from: "2026-02-30" } },
    { field: "to", input: { to: "soon" } },
    { field: "erase", input: { erase: { visitor: "ann@example.com" } } },
    { field: "erase", input: { erase: {} } },
    { field: "erase", input: { erase: { page: "/a", visitor: "00000000000000aa" } } },
    { field: "from", input: { from: "2026-04-01" } },
    { field: "erased", input: { erased: { page: "/a" }, switch: true } },
    { field: "switch", input: { switch: "true" } },
  ])("names the field $field of an order that it does not understand", async ({ field, input }) => {
    const deps = { store: memoryStore({ clock: manualClock(FROM) }), clock: manualClock(FROM), objects };
    const order = { site: SITE, from: "2026-03-01", to: "2026-03-31", ...input };
    const event = { step: "begin", run: "odd", input: order } as const;
    await expect(rebuildStep({ ...deps, hasTime: () => true }, event)).rejects.toThrow(
      expect.objectContaining({ name: "bad_request", message: expect.stringMatching(`^${field}: `) }),
    );
  });
});
