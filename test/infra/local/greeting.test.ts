/** What a start prints. */
import { expect, it } from "vitest";
import { greeting, reachable } from "../../../infra/local/greeting.ts";
import { randomBytes, secrets } from "../../../processors/crypto.ts";
import { DAY_MS } from "../../../processors/model/time.ts";
import { AccessControl, createGrant } from "../../../processors/pipeline/access.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import { manualClock } from "../../kit/clock.ts";

const clock = manualClock(Date.UTC(2026, 10, 29));
const fresh = () => ({ store: memoryStore({ clock }), clock, secrets, randomBytes });
const url = "http://192.0.2.7:8080";
const greeted = {
  url,
  behind: undefined,
  sites: ["shop", "blog"],
  isKeyRequired: true,
  dataFlags: " --data /srv",
};
const linkIn = (lines: readonly string[]): string | null =>
  new URL(/http:\S+/.exec(lines.join("\n"))![0]).searchParams.get("share");

it("shows nobody a link where readers need none", async () => {
  const lines = await greeting({ ...greeted, isKeyRequired: false, grants: fresh() });
  expect(lines).toContain(`  Dashboard  ${url}/?site=shop`);
  expect(lines.join("\n")).not.toMatch(/share|key/);
});

it("lets whoever starts a server that is closed in by one link, to the first site and for a day", async () => {
  const grants = fresh();
  const lines = await greeting({ ...greeted, grants });
  const token = linkIn(lines)!;
  const access = new AccessControl(grants, { isKeyRequired: true });
  expect(await access.reader(token)).toMatchObject({ grant: { site: "shop" } });
  expect(lines.join("\n")).toContain(`npx rivulet share add --site shop --url ${url} --data /srv`);
  clock.advance(DAY_MS);
  await expect(new AccessControl(grants, { isKeyRequired: true }).reader(token)).rejects.toThrow();
});

it("makes no link where somebody has a key or a link for that site already", async () => {
  const grants = fresh();
  await createGrant(grants, { kind: "key", site: "blog" });
  expect(linkIn(await greeting({ ...greeted, grants }))).not.toBeNull();
  const lines = await greeting({ ...greeted, grants });
  expect(linkIn(lines)).toBeNull();
  expect(lines.join("\n")).toContain("Make a link:");
});

it("names the demo shop where the site that its pages report to is counted", async () => {
  const shown = async (sites: string[]) =>
    (await greeting({ ...greeted, sites, grants: fresh() })).join("\n");
  expect(await shown(["shop", "demo"])).toContain(`${url}/demo/`);
  expect(await shown(["shop", "blog"])).not.toContain("/demo/");
});

it("prints the tag with the names that the operator chose, and an id as HTML takes it", async () => {
  const own = { scriptPath: "/stats/s.js", ingestPath: "/stats/e" };
  const lines = await greeting({ ...greeted, ...own, sites: ['a"b'], isKeyRequired: false, grants: fresh() });
  expect(lines).toContain(
    `    <script defer src="${url}/stats/s.js" data-api="${url}/stats/e" data-site="a&#34;b"></script>`,
  );
});

it("names an address that others can open when it listens on all", () => {
  expect(reachable("127.0.0.1")).toBe("127.0.0.1");
  expect(reachable("192.0.2.7")).toBe("192.0.2.7");
  for (const host of ["0.0.0.0", "::"]) expect(reachable(host)).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
  expect(reachable("0.0.0.0")).not.toBe("0.0.0.0");
});
