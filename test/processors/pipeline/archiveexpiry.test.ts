/** What the archive's bucket holds for too long is deleted: whole hours, of that site, an hour after answers left them out. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { bucketObjects } from "../../../processors/archives/bucket.ts";
import type { BucketObjects } from "../../../processors/archives/objects.ts";
import { partitionOf, rowsOfSite } from "../../../processors/model/archive.ts";
import { deleteExpiredObjects } from "../../../processors/pipeline/archiveexpiry.ts";
import { archiveFrom } from "../../../processors/pipeline/expiry.ts";
import { keepSite, listSites, registerSites } from "../../../processors/pipeline/sites.ts";
import { memoryStore } from "../../../processors/stores/memory.ts";
import { manualClock } from "../../kit/clock.ts";
import { type BucketDouble, bucketDouble } from "../../kit/objects.ts";
import { DAY, HOUR, MINUTE, NOON } from "./lines.ts";

let double: BucketDouble;
let objects: BucketObjects;
beforeAll(async () => {
  double = await bucketDouble();
  objects = bucketObjects(double);
});
afterAll(() => double.close());

/** Days begin at 18:30 of UTC: none of its hours is cut, and its days are not UTC's. */
const SITE = { id: "shop(2)/ä.example", timeZone: "Asia/Kolkata" };
const OTHER = { id: "other.example", timeZone: "UTC" };

const keyAt = (site: string, at: number): string => {
  const { dt, hour } = partitionOf(at);
  return `${rowsOfSite(site)}dt=${dt}/hour=${hour}/a.parquet`;
};
const keys = async (): Promise<string[]> => (await objects.list("archive/")).map(({ key }) => key);

it("goes by the site's own days, and touches no other site and nothing that is named otherwise", async () => {
  const clock = manualClock(NOON);
  const store = memoryStore({ clock });
  await registerSites(store, clock, [SITE, OTHER]);
  const strange = [
    `${rowsOfSite(SITE.id)}dt=2020-01-01/a.parquet`,
    `${rowsOfSite(SITE.id)}notes/hour=00/a.parquet`,
    "archive/readme",
  ];
  for (const key of strange) await objects.put(key, new Uint8Array(1));
  for (let at = NOON - 4 * DAY; at <= NOON; at += HOUR)
    for (const { id } of [SITE, OTHER]) await objects.put(keyAt(id, at), new Uint8Array(1));
  const all = await keys();
  const expire = () => deleteExpiredObjects({ store, clock, objects });

  expect(await expire(), "nobody set anything").toBe(0);
  await keepSite(store, clock, SITE.id, { archive: 2 });
  clock.advance(HOUR - MINUTE);
  expect(await expire(), "somebody may still read it, or put the setting right").toBe(0);
  expect(await keys()).toEqual(all);

  clock.advance(2 * MINUTE);
  const [site] = (await listSites(store)).filter(({ id }) => id === SITE.id);
  const from = archiveFrom(site!, clock.now());
  expect(new Date(from).toISOString()).toMatch(/T18:30/);
  const gone = all.filter((key) => {
    const [, dt, hour] = /dt=(.*)\/hour=(.*)\//.exec(key) ?? [];
    return key.startsWith(rowsOfSite(SITE.id)) && hour && Date.parse(`${dt}T${hour}:00Z`) + HOUR <= from;
  });
  expect(gone.length).toBeGreaterThan(24);
  expect(await expire()).toBe(gone.length);
  expect(await keys(), "the hour in which the day begins stays").toEqual(
    all.filter((key) => !gone.includes(key)),
  );
  expect(await keys()).toEqual(expect.arrayContaining([...strange, keyAt(SITE.id, from)]));
  expect(await expire()).toBe(0);
});
