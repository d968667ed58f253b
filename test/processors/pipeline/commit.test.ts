/** The bytes of commits and snapshots: what earlier versions wrote must stay readable, and the same records give the same bytes. */
import { describe, expect, it } from "vitest";
import { VISIT_DIMENSIONS } from "../../../processors/model/dimensions.ts";
import type { EpochMs } from "../../../processors/model/time.ts";
import { appendCommit, encodeCommit, readCommits } from "../../../processors/pipeline/commit.ts";
import { Marks } from "../../../processors/pipeline/marks.ts";
import { PartialFold } from "../../../processors/pipeline/partial.ts";
import { rollupsOf } from "../../../processors/pipeline/partialreader.ts";
import { PAGEVIEWS, VISITS } from "../../../processors/pipeline/rows.ts";
import { Touched } from "../../../processors/pipeline/senders.ts";
import { loadState } from "../../../processors/pipeline/snapshots.ts";
import {
  inherit,
  isRemembered,
  MAX_BATCH_IDS,
  MAX_VISITORS,
  newVisitor,
  ShardState,
  type StateChange,
  type VisitorState,
} from "../../../processors/pipeline/state.ts";
import { applySnapshot, encodeSnapshot } from "../../../processors/pipeline/statebytes.ts";
import { HOUR, MINUTE, NOON, SITE } from "./lines.ts";
import { rig, SHARD } from "./rig.ts";

const stateOf = (snapshot: Uint8Array): ShardState => {
  const state = new ShardState();
  applySnapshot(state, snapshot);
  return state;
};

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex");

/** What version 2 wrote: a commit's change of the state, and a snapshot of all that it holds. */
const OLD_CHANGE = [
  "010231300380bc9b8cbc33030203010203626f7404096475706c69636174650101126578616d706c652e636f6d0063306666",
  "656503e0909f8cbc330180bc9b8cbc3309e5d40306476f6f676c650000000000000000000000000000012f0009020102a01f01",
  "f9beb7b088891c0702b1d1f9d603ffffffffffffff0f",
].join("");
const OLD_COMMIT = `${[
  "020100023130c0e5a28cbc33e0909f8cbc3380bc9b8cbc33a601010b6578616d706c652e636f6d0280bc9b8cbc331d018480",
  "400211000000010000010a6576656e743a7061676504012f0202e0909f8cbc33050100010000675b7b226174223a31373638",
  "3437383430303030302c226e616d65223a227061676576696577222c2270616765223a222f222c22736f75726365223a2222",
  "2c22636f756e747279223a224b52222c22646576696365223a22222c2262726f77736572223a22227d5d",
].join("")}${OLD_CHANGE}`;
const OLD_SNAPSHOT = `0200${OLD_CHANGE}`;
/** What version 3 wrote, in which a visit's hashes stood in full. */
const HASHES_COMMIT = [
  "030100023130c0e5a28cbc33e0909f8cbc3380bc9b8cbc33a501010101010000000200000000010000000000000000000000",
  "000000000000010200000280bc9b8cbc3300008408020100110300020200e0d40301000000675b7b226174223a3137363834",
  "37383430303030302c226e616d65223a227061676576696577222c2270616765223a222f222c22736f75726365223a22222c",
  "22636f756e747279223a224b52222c22646576696365223a22222c2262726f77736572223a22227d5d67010231300380bc9b",
  "8cbc33030203010203626f7404096475706c69636174650101030663306666656503e0909f8cbc3301c0a90709e5d4030400",
  "00000000000000000000000000020a00020102a01f0179df0d864870000702b168de3a000000ffffffffffff1f040b657861",
  "6d706c652e636f6d012f0c6578616d706c652e636f6d0006476f6f676c65",
].join("");
const HASHES_SNAPSHOT = [
  "030067010231300380bc9b8cbc33030203010203626f7404096475706c69636174650101010663306666656503e0909f8cbc",
  "3301c0a90709e5d403020000000000000000000000000000030a00020102a01f0179df0d864870000702b168de3a000000ff",
  "ffffffffff1f030c6578616d706c652e636f6d0006476f6f676c65012f",
].join("");
/** What version 4 wrote, in which a visit's attributes stood in full, and rows under each of them. */
const SPREAD_COMMIT = [
  "040100023130c0e5a28cbc33e0909f8cbc3380bc9b8cbc334b01010101000000020000000001000000000000000000000000",
  "0000000000010200000280bc9b8cbc3300008408020100110300020200e0d403010000000180f8b698f86603020004000000",
  "68010231300380bc9b8cbc33030203010203626f7404096475706c69636174650101050663306666656503e0909f8cbc3301",
  "c0a90709e5d403060000000000000000000000000000020a00020102a01f010079df0d864870000702b168de3a000000ffff",
  "ffffffff1f060b6578616d706c652e636f6d012f087061676576696577024b520c6578616d706c652e636f6d0006476f6f67",
  "6c65",
].join("");
const SPREAD_SNAPSHOT = [
  "04000068010231300380bc9b8cbc33030203010203626f7404096475706c69636174650101010663306666656503e0909f8c",
  "bc3301c0a90709e5d403020000000000000000000000000000030a00020102a01f010079df0d864870000702b168de3a0000",
  "00ffffffffffff1f030c6578616d706c652e636f6d0006476f6f676c65012f",
].join("");

/** What version 5 writes. */
const COMMIT = [
  "050100023130c0e5a28cbc33e0909f8cbc3380bc9b8cbc333c01010101000000020000000000010200000280bc9b8cbc3300",
  "0006008408020100020300020200e0d403010000000180f8b698f866030200040000005a010231300380bc9b8cbc33030203",
  "010203626f7404096475706c69636174650102b168de3a000000ffffffffffff1f01050663306666656503e0909f8cbc3301",
  "c0a90709e5d40301020a00020102a01f010079df0d8648700007100f060000000000000000000000000000060b6578616d70",
  "6c652e636f6d012f087061676576696577024b520c6578616d706c652e636f6d0006476f6f676c65",
].join("");
const SNAPSHOT = [
  "0500005a010231300380bc9b8cbc33030203010203626f7404096475706c69636174650102b168de3a000000ffffffffffff",
  "1f01010663306666656503e0909f8cbc3301c0a90709e5d40301030a00020102a01f010079df0d8648700007100f02000000",
  "0000000000000000000000030c6578616d706c652e636f6d0006476f6f676c65012f",
].join("");

/** A commit made by hand, so that its bytes say nothing about how events are read or described. */
function example(): { partials: Map<string, PartialFold>; change: StateChange } {
  const partial = new PartialFold();
  const here = partial.window(NOON);
  partial.shares.add(partial.totals(here), VISITS, 1);
  partial.shares.visitors.addOnce(partial.totals(here), partial.person("0000000100000002"));
  const page = partial.columnOf(partial.dimension("event:page"), "/");
  partial.rows.add(partial.rows.cells.at(here, page.index), PAGEVIEWS, 1);
  partial.about(partial.window(NOON + MINUTE)).late = 1;
  const url = { hostname: "example.com", path: "/", query: {} };
  partial.show(
    { name: "pageview", at: NOON, url, referrer: "", props: [], interactive: true },
    VISIT_DIMENSIONS.map((name) => (name === "visit:country" ? "KR" : "")),
    undefined,
  );
  const visitor: VisitorState = {
    ordinal: 3,
    receivedAt: NOON + MINUTE,
    sessions: [
      {
        first: NOON - 5,
        born: NOON - 5,
        last: NOON + MINUTE,
        window: NOON,
        attributes: VISIT_DIMENSIONS.map((_, i) => (i === 0 ? "Google" : "")),
        exitPage: "/",
        exitAt: NOON,
        interactive: 2,
        pageviews: 1,
        events: 2,
        engagedMs: 4_000,
        seen: new Marks([123_456_789_012_345, 7]),
      },
    ],
  };
  const change: StateChange = {
    n: 1,
    to: "10",
    ordinal: 3,
    watermark: NOON,
    counters: { records: 3, batches: 2, events: 3, late: 1, rejects: { duplicate: 1, bot: 4 } },
    visitors: new Map([["example.com\u0000c0ffee", visitor]]),
    batchIds: [987_654_321, 9_007_199_254_740_991],
  };
  return { partials: new Map([[SITE, partial]]), change };
}

const header = { from: "", committedAt: NOON + 2 * MINUTE, arrivedAt: NOON + MINUTE };
const stateAfter = (change: StateChange): ShardState => {
  const state = new ShardState();
  state.apply(change);
  return state;
};

describe("the bytes", () => {
  it("of a commit are these in version 5, and read as what was written; so do those of versions 2 to 4", async () => {
    const { partials, change } = example();
    expect(hex(encodeCommit(header, partials, change))).toBe(COMMIT);
    const written = partials.get(SITE) ?? new PartialFold();
    for (const bytes of [COMMIT, SPREAD_COMMIT, HASHES_COMMIT, OLD_COMMIT]) {
      const { store } = await rig();
      await appendCommit(store, SHARD.id, 1, Buffer.from(bytes, "hex"));
      const [read] = await readCommits(store, SHARD.id, 0);
      expect(read).toMatchObject({ ...header, n: 1, to: "10", watermark: NOON });
      const partial = read?.partials.get(SITE);
      expect(partial?.feed).toEqual(written.feed);
      const rollups = rollupsOf(written);
      expect([...(partial?.windows.keys() ?? [])]).toEqual([...rollups.keys()]);
      for (const [start, rollup] of rollups)
        expect(hex(partial?.windows.get(start)?.encode())).toBe(hex(rollup.encode()));
      expect((await loadState(store, SHARD.id))?.state).toEqual(stateAfter(change));
    }
  });

  it("of a snapshot are these in version 5, and read as the state that was written; so do those of versions 2 to 4", () => {
    const state = stateAfter(example().change);
    expect(hex(encodeSnapshot(state))).toBe(SNAPSHOT);
    for (const bytes of [SNAPSHOT, SPREAD_SNAPSHOT, HASHES_SNAPSHOT, OLD_SNAPSHOT])
      expect(stateOf(Buffer.from(bytes, "hex"))).toEqual(state);
  });

  it("of a state from before visits said what they were born with takes their first event for it", () => {
    const state = stateAfter(example().change);
    const old = OLD_SNAPSHOT.replace("012f0009020102", "012f00020102").replace(/^02/, "01");
    expect(stateOf(Buffer.from(old, "hex"))).toEqual(state);
  });

  it("say their version first, and another is refused", async () => {
    const { store } = await rig();
    await appendCommit(store, SHARD.id, 1, Buffer.from(COMMIT, "hex").fill(9, 0, 1));
    await expect(readCommits(store, SHARD.id, 0)).rejects.toThrow("version 9");
    expect(() => stateOf(Buffer.from(SNAPSHOT, "hex").fill(9, 0, 1))).toThrow("version 9");
  });
});

describe("a log", () => {
  it("with a commit in the wrong slot, or one missing, is refused with both numbers", async () => {
    const { store } = await rig();
    const { partials, change } = example();
    const header = { from: "", committedAt: NOON, arrivedAt: NOON };
    const first = encodeCommit(header, partials, change);
    await appendCommit(store, "moved", 7, first);
    await expect(readCommits(store, "moved", 0)).rejects.toThrow(
      "commit 1 of moved stands in slot 000000000007",
    );
    const second = encodeCommit({ ...header, from: "10" }, partials, { ...change, n: 2, to: "11" });
    await appendCommit(store, "gap", 2, second);
    await expect(loadState(store, "gap")).rejects.toThrow("commit 2 follows 0");
    await appendCommit(store, "torn", 1, first);
    await appendCommit(
      store,
      "torn",
      2,
      encodeCommit({ ...header, from: "9" }, partials, { ...change, n: 2 }),
    );
    await expect(loadState(store, "torn")).rejects.toThrow('begins at "9", the state ends at "10"');
  });
});

describe("a shard's memory", () => {
  const change = (state: ShardState, ids: number[], visitor?: string) => {
    state.apply({
      n: state.n + 1,
      to: String(state.n + 1),
      ordinal: state.ordinal + 1,
      watermark: NOON,
      counters: state.counters,
      visitors: new Map(
        visitor ? [[visitor, { ...newVisitor(), ordinal: state.ordinal + 1, receivedAt: NOON }]] : [],
      ),
      batchIds: ids,
    });
    return state;
  };
  const numbers = (state: ShardState): [number, number][] => [...state.batchIds];
  /** What a batch with the state's number sees of a visitor. */
  const visible = (key: string, state: Pick<ShardState, "ordinal" | "visitors">, receivedAt: EpochMs) =>
    new Touched(state, isRemembered).visible(key, receivedAt);

  it("holds the newest batch ids and visitors only, and forgets the same in a snapshot", () => {
    const state = change(new ShardState(), [1, 2, 3], "early");
    change(
      state,
      Array.from({ length: MAX_BATCH_IDS - 2 }, (_, i) => 1_000 + i),
    );
    expect([1, 2, 3].map((id) => state.batchIds.has(id))).toEqual([false, true, true]);
    state.ordinal += MAX_VISITORS - 1;
    expect(visible("early", state, NOON)).toBeDefined();
    expect(visible("early", { ...state, ordinal: state.ordinal + 1 }, NOON)).toBeUndefined();
    const read = stateOf(encodeSnapshot(state));
    expect(read.idOrdinal).toBe(state.idOrdinal);
    expect(read.batchIds.get(2)).toBe(state.batchIds.get(2));
  });

  it("forgets a visitor after a day, also where no snapshot was taken", () => {
    const state = change(new ShardState(), [], "ann");
    expect(visible("ann", state, NOON + 24 * HOUR)).toBeDefined();
    expect(visible("ann", state, NOON + 24 * HOUR + 1)).toBeUndefined();
    state.watermark = NOON + 25 * HOUR;
    expect(visible("ann", stateOf(encodeSnapshot(state)), NOON + 24 * HOUR)).toBeDefined();
  });

  it("inherited from two parents is all that both knew, and can be written", () => {
    const [a, b] = [change(new ShardState(), [1, 2, 3], "ann"), change(new ShardState(), [4, 5], "bob")];
    const child = inherit([a, b]);
    expect([...child.visitors.keys()].sort()).toEqual(["ann", "bob"]);
    expect([...child.batchIds.keys()].sort()).toEqual([1, 2, 3, 4, 5]);
    const read = stateOf(encodeSnapshot(child));
    expect(numbers(read)).toEqual(numbers(child));
    expect(read).toEqual(child);
  });

  it("inherited after a split and a merge takes each visitor from the child that heard of them last", () => {
    const parent = change(new ShardState(), [1], "ann");
    for (let i = 0; i < 20; i++) change(parent, [100 + i], `other-${i}`);
    change(parent, [2], "bob");
    const [left, right] = [inherit([parent]), inherit([parent])];
    // Bob goes on in the left half, which then falls far ahead of the right one.
    change(left, [3], "bob");
    const moved = left.visitors.get("bob");
    if (!moved) throw new Error("bob is not in the left half");
    moved.receivedAt = NOON + MINUTE;
    for (let i = 0; i < 50; i++) change(left, [200 + i], `left-${i}`);
    for (const child of [inherit([left, right]), inherit([right, left])]) {
      expect(child.visitors.get("bob")?.receivedAt).toBe(NOON + MINUTE);
      expect(child.visitors.size).toBe(left.visitors.size);
      expect(child.batchIds.size).toBe(left.batchIds.size);
    }
  });
});
