/** The registry of sites: adding, removing, and what a running part notices. */
import { beforeEach, describe, expect, it } from "vitest";
import {
  activeSites,
  listSites,
  registerSites,
  removeSite,
  SiteDirectory,
} from "../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import type { Store } from "../../../processors/stores/store.ts";
import { type ManualClock, manualClock } from "../../kit/clock.ts";

let clock: ManualClock;
let store: Store;
beforeEach(() => {
  clock = manualClock();
  store = memoryStore({ clock });
});
const add = (id: string, timeZone = "UTC") => registerSites(store, clock, [{ id, timeZone }]);
const ids = async () => (await activeSites(store)).map(({ id }) => id);

describe("a site", () => {
  it("that is removed is not counted any more, and still known with its zone", async () => {
    await add("shop", "Asia/Seoul");
    expect(await removeSite(store, clock, "shop")).toBe(true);
    expect(await ids()).toEqual([]);
    expect(await listSites(store)).toMatchObject([{ id: "shop", timeZone: "Asia/Seoul" }]);
    expect(await removeSite(store, clock, "shop")).toBe(false);
  });

  it("comes back with the time it was first registered, and only in its own zone", async () => {
    await add("shop", "Asia/Seoul");
    const [before] = await activeSites(store);
    clock.advance(60_000);
    await removeSite(store, clock, "shop");
    await expect(add("shop", "UTC")).rejects.toMatchObject({ code: "config" });
    expect(await ids()).toEqual([]);
    await add("shop", "Asia/Seoul");
    expect(await activeSites(store)).toEqual([before]);
  });

  it.each([
    ["Europe/Kiev", "Europe/Kyiv"],
    ["Asia/Calcutta", "asia/kolkata"],
    ["UTC", "Etc/UTC"],
  ])("stays in its zone where that is written otherwise, %s as %s", async (zone, other) => {
    await add("shop", zone);
    await add("shop", other);
    expect(await listSites(store)).toMatchObject([{ timeZone: zone }]);
  });

  it("that was never registered cannot be removed", async () => {
    expect(await removeSite(store, clock, "shop")).toBe(false);
    expect(await listSites(store)).toEqual([]);
  });

  it("is noticed, and missed, within five seconds", async () => {
    const directory = new SiteDirectory({ store, clock });
    expect((await directory.all()).has("shop")).toBe(false);
    await add("shop");
    clock.advance(5_000);
    expect((await directory.all()).has("shop")).toBe(true);
    await removeSite(store, clock, "shop");
    clock.advance(5_000);
    expect((await directory.all()).has("shop")).toBe(false);
    await expect(directory.site("shop", "site_id")).rejects.toMatchObject({ code: "not_found" });
  });

  it("added by several at once is registered once, and by no two zones", async () => {
    const results = await Promise.allSettled([
      add("shop", "UTC"),
      add("shop", "Asia/Seoul"),
      add("shop", "UTC"),
    ]);
    const zones = (await activeSites(store)).map(({ timeZone }) => timeZone);
    expect(zones).toHaveLength(1);
    expect(results.filter(({ status }) => status === "rejected")).toHaveLength(zones[0] === "UTC" ? 1 : 2);
  });
});
