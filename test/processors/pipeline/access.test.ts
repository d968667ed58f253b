/** Keys and share links: whom they let read what, and what of them is kept. */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { randomBytes, secrets } from "../../../processors/crypto.ts";
import {
  AccessControl,
  createGrant,
  listGrants,
  removeGrant,
  tokenOf,
} from "../../../processors/pipeline/access.ts";
import { QueryApi } from "../../../processors/pipeline/query/api.ts";
import { QueryEngine } from "../../../processors/pipeline/query/engine.ts";
import { registerSites } from "../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import type { Store } from "../../../processors/stores/store.ts";
import { type ManualClock, manualClock } from "../../kit/clock.ts";
import { anyText } from "../../kit/texts.ts";

const DAY = 86_400_000;
let clock: ManualClock;
let store: Store;
let deps: Parameters<typeof createGrant>[0];
let guarded: AccessControl;
let open: AccessControl;

beforeEach(() => {
  clock = manualClock();
  store = memoryStore({ clock });
  deps = { store, clock, secrets, randomBytes };
  guarded = new AccessControl(deps, { isKeyRequired: true });
  open = new AccessControl(deps, { isKeyRequired: false });
});

const key = (site: string) => createGrant(deps, { kind: "key", site });
const unauthorized = { code: "unauthorized" };
const forbidden = { code: "forbidden" };

describe("a key", () => {
  it("reads its site and no other", async () => {
    const { token } = await key("shop");
    const reader = await guarded.reader(token);
    expect(() => reader.check("shop")).not.toThrow();
    for (const other of [
      "blog",
      "",
      "SHOP",
      "shop/",
      "shop ",
      "sho",
      "shopp",
      "shop\u0000",
      "ｓｈｏｐ",
      "%73hop",
    ])
      expect(() => reader.check(other), other).toThrow(expect.objectContaining(forbidden));
  });

  it("is needed where keys are required, and only there", async () => {
    await expect(guarded.reader(undefined)).rejects.toMatchObject(unauthorized);
    const anybody = await open.reader(undefined);
    expect(() => anybody.check("shop")).not.toThrow();
  });

  it("is refused when it is wrong, even where none is needed", async () => {
    const { token } = await key("shop");
    const last = token.at(-1) === "0" ? "1" : "0";
    const wrong = [
      "",
      "x",
      "rvk_",
      token.slice(0, -1),
      `${token}0`,
      token.slice(0, -1) + last,
      token.replace("rvk", "rvs"),
      token.toUpperCase(),
      ` ${token}`,
      `rvk_000000000000_${"0".repeat(64)}`,
    ];
    for (const access of [guarded, open])
      for (const sent of wrong) await expect(access.reader(sent), sent).rejects.toMatchObject(unauthorized);
  });

  it("stops working within five seconds when it is taken back", async () => {
    const { token, grant } = await key("shop");
    await guarded.reader(token);
    expect(await removeGrant(store, grant)).toBe(true);
    clock.advance(5_000);
    await expect(guarded.reader(token)).rejects.toMatchObject(unauthorized);
    expect(await removeGrant(store, grant)).toBe(false);
  });

  it("can be taken back only under its own site and kind", async () => {
    const { grant } = await key("shop");
    expect(await removeGrant(store, { ...grant, site: "blog" })).toBe(false);
    expect(await removeGrant(store, { ...grant, kind: "share" })).toBe(false);
    expect(await removeGrant(store, { ...grant, id: "../site" })).toBe(false);
    expect(await listGrants(deps, "shop")).toEqual([grant]);
  });

  it("is nowhere in the store", async () => {
    const { token } = await key("shop");
    const secret = token.split("_")[2]!;
    const kept = (await store.list("access")).map(({ value, sk }) => sk + new TextDecoder().decode(value));
    expect(kept).toHaveLength(1);
    expect(kept[0]).not.toContain(secret);
    expect(kept[0]).toContain(secrets.hash(token));
    expect(JSON.stringify(await listGrants(deps))).not.toContain(secrets.hash(token));
  });

  it("has 256 bits of its own", async () => {
    const tokens = await Promise.all(Array.from({ length: 50 }, () => key("shop")));
    expect(new Set(tokens.map(({ token }) => token.split("_")[2])).size).toBe(50);
    for (const { token } of tokens) expect(token).toMatch(/^rvk_[0-9a-f]{12}_[0-9a-f]{64}$/);
  });

  it("is compared through the driver that takes the same time for all", async () => {
    const compared: string[][] = [];
    const equal = (a: string, b: string): boolean => {
      compared.push([a, b]);
      return secrets.equal(a, b);
    };
    const watched = new AccessControl({ ...deps, secrets: { ...secrets, equal } }, { isKeyRequired: true });
    const { token } = await key("shop");
    await watched.reader(token);
    await expect(watched.reader(`rvk_000000000000_${"0".repeat(64)}`)).rejects.toMatchObject(unauthorized);
    expect(compared.map(([a, b]) => [a?.length, b?.length])).toEqual([
      [64, 64],
      [64, 64],
    ]);
  });
});

describe("a share link", () => {
  it("works until its last millisecond and not after, whatever is remembered", async () => {
    const { token } = await createGrant(deps, { kind: "share", site: "shop", lifeMs: DAY });
    clock.advance(DAY - 1);
    await guarded.reader(token);
    clock.advance(1);
    await expect(guarded.reader(token)).rejects.toMatchObject(unauthorized);
    expect(await listGrants(deps)).toEqual([]);
  });
});

describe("the token of a request", () => {
  it.each<[string, string | undefined, string | undefined, string | undefined]>([
    ["a bearer", "Bearer abc", undefined, "abc"],
    ["a bearer in any case", "bearer  abc ", undefined, "abc"],
    ["a share parameter", undefined, "rvs_1", "rvs_1"],
    ["the header before the parameter", "Bearer abc", "rvs_1", "abc"],
    ["nothing", undefined, undefined, undefined],
    ["nothing of an empty parameter", undefined, "", undefined],
    ["nothing of a proxy's own login", "Basic dXNlcjpwYXNz", undefined, undefined],
    ["nothing of a bearer without a token", "Bearer ", undefined, undefined],
  ])("is %s", (_, authorization, share, token) => {
    expect(tokenOf(authorization, share)).toBe(token);
  });

  it("is never a key in an address", () => {
    expect(() => tokenOf(undefined, "rvk_1")).toThrow(expect.objectContaining(unauthorized));
  });
});

describe("the reading API", () => {
  const ids = ["shop", "shop/eu", "shop%2Feu", "hour/shop", "__proto__", "샵", "shop\u2044eu"];

  it("answers a key for its own site only, however the other's name is written", async () => {
    await registerSites(
      store,
      clock,
      ids.map((id) => ({ id, timeZone: "UTC" })),
    );
    const api = new QueryApi(new QueryEngine({ store, clock }));
    for (const own of ids) {
      const reader = await guarded.reader((await key(own)).token);
      expect(await api.sites(reader)).toEqual({ sites: [{ site_id: own, time_zone: "UTC" }] });
      for (const id of ids) {
        const body = { site_id: id, metrics: ["visitors"], date_range: "day" };
        const asked = [
          api.query(reader, body),
          api.live(reader, id),
          api.exportCsv(reader, { site_id: id, metrics: "visitors", date_range: "day" }),
        ];
        for (const one of asked) {
          if (id === own) await one;
          else await expect(one, `${own} asks for ${id}`).rejects.toMatchObject(forbidden);
        }
      }
    }
  });

  it("refuses, and never fails, whatever stands for a site", async () => {
    await registerSites(store, clock, [{ id: "shop", timeZone: "UTC" }]);
    const api = new QueryApi(new QueryEngine({ store, clock }));
    const reader = await guarded.reader((await key("shop")).token);
    await fc.assert(
      fc.asyncProperty(fc.oneof(anyText(), fc.jsonValue(), fc.constant(["shop"])), async (id) => {
        fc.pre(id !== "shop");
        const body = { site_id: id, metrics: ["visitors"], date_range: "day" };
        await expect(api.query(reader, body)).rejects.toMatchObject({
          code: typeof id === "string" ? "forbidden" : "bad_request",
        });
      }),
      { numRuns: 200 },
    );
  });
});
