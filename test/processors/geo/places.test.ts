import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { placeLookup } from "../../../processors/geo/places.ts";
import { NOWHERE } from "../../../processors/model/place.ts";
import { mmdb } from "../../kit/mmdb.ts";
import { temporaryDirectory } from "../../kit/temporary.ts";

const root = temporaryDirectory();
let number = 0;
function tableFile(bytes: Uint8Array): string {
  const path = join(root, `${++number}.mmdb`);
  writeFileSync(path, bytes);
  return path;
}

const path = tableFile(
  mmdb("GeoLite2-City", {
    "1.2.3.0/24": {
      country: { iso_code: "KR" },
      subdivisions: [
        { iso_code: "26", names: { en: "Busan", ko: "부산광역시" } },
        { iso_code: "Z", names: { en: "Within" } },
      ],
      city: { names: { en: "Busan" } },
    },
    // As DB-IP writes it.
    "1.2.4.0/24": {
      country: { iso_code: "US" },
      subdivisions: [{ names: { en: "California" } }],
      city: { names: { en: "Mountain View" } },
    },
    "1.2.5.0/24": { country: { iso_code: "SG" } },
    "10.0.0.0/24": { country: { iso_code: "US" }, city: { names: { en: "Nobody's" } } },
  }),
);

describe("a table of places", () => {
  it.each([
    ["1.2.3.4", { region: "KR-26", regionName: "Busan", city: "Busan" }],
    ["::ffff:1.2.3.255", { region: "KR-26", regionName: "Busan", city: "Busan" }],
    ["1.2.4.4", { region: "California", regionName: "California", city: "Mountain View" }],
    ["1.2.5.4", NOWHERE],
    ["1.2.6.4", NOWHERE],
    ["10.0.0.1", NOWHERE],
    ["2001:4860:4860::8888", NOWHERE],
    ["no address", NOWHERE],
  ])("says where %s is", async (ip, place) => {
    const lookup = await placeLookup(path);
    expect(lookup(ip)).toEqual(place);
  });

  it.each([
    ["is not there", () => join(root, "none.mmdb"), /--places .*none\.mmdb: no table/],
    ["is something else", () => tableFile(Buffer.from("region,city")), /no table in MaxMind's format/],
    ["has no cities", () => tableFile(mmdb("GeoLite2-Country", {})), /a table of GeoLite2-Country/],
  ])("is refused at the start when it %s", async (_, file, says) => {
    await expect(placeLookup(file())).rejects.toMatchObject({
      code: "config",
      message: expect.stringMatching(says),
    });
  });
});
