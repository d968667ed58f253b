import { beforeEach, describe, expect, it } from "vitest";
import { randomBytes, secrets } from "../../../processors/crypto.ts";
import { AccessControl, createGrant, type Reader } from "../../../processors/pipeline/access.ts";
import { OwnerApi } from "../../../processors/pipeline/owner.ts";
import { registerSites } from "../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import type { Store } from "../../../processors/stores/store.ts";
import { manualClock } from "../../kit/clock.ts";

const clock = manualClock(Date.UTC(2026, 0, 5, 12));
let store: Store;
let owner: OwnerApi;
let mine: Reader;
let anybody: Reader;
beforeEach(async () => {
  store = memoryStore({ clock });
  await registerSites(store, clock, [
    { id: "shop", timeZone: "UTC" },
    { id: "blog", timeZone: "UTC" },
  ]);
  owner = new OwnerApi({
    store,
    clock,
    secrets,
    randomBytes,
    hasArchive: false,
    rejected: async () => ({ bot: 3 }),
    recent: {
      sites: () => [
        { site: "shpo", at: 2 },
        { site: "shop", at: 1 },
      ],
    },
  });
  const deps = { store, clock, secrets };
  mine = await new AccessControl(deps, { isKeyRequired: false, isOwnMachine: true }).reader(undefined);
  anybody = await new AccessControl(deps, { isKeyRequired: false }).reader(undefined);
});

const by = async (kind: "key" | "share", site: string, mayWrite = false): Promise<Reader> => {
  const { token } = await createGrant({ store, clock, secrets, randomBytes }, { kind, site, mayWrite });
  return new AccessControl({ store, clock, secrets }, { isKeyRequired: true }).reader(token);
};

const settings = (more: object = {}) => ({
  site_id: "shop",
  version: 0,
  goals: [{ event: "signup" }, { page: "/thanks", name: "Bought" }],
  funnels: [{ name: "Buy", steps: [{ page: "/" }, { goal: "purchase" }] }],
  ...more,
});

describe("goals and funnels", () => {
  it("come back as they were saved, of that site only", async () => {
    await owner.save(mine, settings());
    const { site_id, ...saved } = settings({ version: 1 });
    expect(await owner.about(mine, site_id)).toMatchObject(saved);
    expect(await owner.about(mine, "blog")).toMatchObject({ version: 0, goals: [], funnels: [] });
  });

  it("are not overwritten by who has not seen the newest", async () => {
    await owner.save(mine, settings());
    await expect(owner.save(mine, settings({ goals: [] }))).rejects.toThrow(/^version: somebody else/);
    await owner.save(mine, settings({ version: 1, goals: [] }));
    expect((await owner.about(mine, "shop")).goals).toEqual([]);
  });

  it.each([
    { body: settings({ goals: [{}] }), says: /^goals\[0\]: needs event or page/ },
    { body: settings({ goals: [{ event: "a", page: "/" }] }), says: /^goals\[0\]: needs event or page/ },
    { body: settings({ goals: [{ page: "thanks" }] }), says: /^goals\[0\]\.page: a path begins/ },
    { body: settings({ goals: [{ event: "a".repeat(121) }] }), says: /^goals\[0\]\.event: at most 120/ },
    { body: settings({ goals: [{ event: "a\u0000" }] }), says: /control/ },
    { body: settings({ goals: Array(31).fill({ event: "a" }) }), says: /^goals: at most 30/ },
    { body: settings({ goals: "all" }), says: /^goals: not a list/ },
    { body: settings({ goals: [{ event: "a", color: "red" }] }), says: /^goals\[0\]\.color: no such field/ },
    { body: settings({ funnels: [{ name: "x", steps: [{ page: "/" }] }] }), says: /steps: at least 2/ },
    {
      body: settings({ funnels: [{ name: "x", steps: Array(9).fill({ page: "/" }) }] }),
      says: /steps: at most 8/,
    },
    {
      body: settings({ funnels: Array(2).fill({ name: "x", steps: Array(2).fill({ goal: "a" }) }) }),
      says: /^funnels: two have the same name/,
    },
    { body: settings({ version: "0" }), says: /^version/ },
    { body: null, says: /^site_id: required/ },
  ])("are refused with the field: $says", async ({ body, says }) => {
    await expect(owner.save(mine, body)).rejects.toThrow(says);
    expect((await owner.about(mine, "shop")).version).toBe(0);
  });
});

describe("writing", () => {
  it("is for one's own machine and for keys that may, never for a share link", async () => {
    const reading = await by("key", "shop");
    const link = await by("share", "shop", true);
    for (const reader of [anybody, reading, link]) {
      expect((await owner.about(reader, "shop")).may_write).toBe(false);
      await expect(owner.save(reader, settings())).rejects.toMatchObject({ code: "forbidden" });
      await expect(owner.shares(reader, "shop")).rejects.toMatchObject({ code: "forbidden" });
      await expect(owner.addShare(reader, { site_id: "shop", days: 1 })).rejects.toMatchObject({
        code: "forbidden",
      });
      await expect(owner.removeShare(reader, "shop", "x")).rejects.toMatchObject({ code: "forbidden" });
    }
    const writing = await by("key", "shop", true);
    expect(await owner.save(writing, settings())).toMatchObject({ may_write: true, version: 1 });
    await expect(owner.save(writing, settings({ site_id: "blog" }))).rejects.toMatchObject({
      code: "forbidden",
    });
  });

  it("to a site that is not there says so, to who may know", async () => {
    await expect(owner.save(mine, settings({ site_id: "none" }))).rejects.toMatchObject({
      code: "not_found",
    });
    const writing = await by("key", "shop", true);
    await expect(owner.about(writing, "none")).rejects.toMatchObject({ code: "forbidden" });
  });
});

describe("share links made here", () => {
  it("open the site until they end or are taken back", async () => {
    const { id, token, expires_at } = await owner.addShare(mine, {
      site_id: "shop",
      days: 2,
      label: "press",
    });
    expect(expires_at - clock.now()).toBe(2 * 86_400_000);
    expect((await owner.shares(mine, "shop")).shares).toEqual([
      { id, label: "press", created_at: clock.now(), expires_at },
    ]);
    const access = new AccessControl({ store, clock, secrets }, { isKeyRequired: true });
    expect((await access.reader(token)).grant?.site).toBe("shop");
    await owner.removeShare(mine, "shop", id);
    expect((await owner.shares(mine, "shop")).shares).toEqual([]);
    await expect(owner.removeShare(mine, "shop", id)).rejects.toMatchObject({ code: "not_found" });
  });

  it.each([0, 1.5, "7", 3_661, undefined])("work for whole days, not %s", async (days) => {
    await expect(owner.addShare(mine, { site_id: "shop", days })).rejects.toThrow(/^days/);
  });

  it.each([null, 7, "shop", []])("are refused for a body that names no site: %j", async (body) => {
    await expect(owner.addShare(mine, body)).rejects.toThrow(/^site_id: required/);
  });

  it("are not more than a hundred", async () => {
    for (let i = 0; i < 100; i++) await owner.addShare(mine, { site_id: "shop", days: 1 });
    await expect(owner.addShare(mine, { site_id: "shop", days: 1 })).rejects.toThrow(/has 100 share links/);
  });
});

describe("what is known of a site", () => {
  it("tells what was refused, when it was last asked for, and names that no site has", async () => {
    expect(await owner.about(mine, "shop")).toMatchObject({
      rejected: { bot: 3 },
      last_request_at: 1,
      unknown_sites: [{ site_id: "shpo", at: 2 }],
    });
    expect((await owner.about(mine, "blog")).last_request_at).toBeNull();
  });

  it("keeps other people's names from who may only read", async () => {
    expect(await owner.about(anybody, "shop")).not.toHaveProperty("unknown_sites");
  });
});
