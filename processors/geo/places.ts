/**
 * Region and city of an address from a table that the operator gives: those that are good enough may not be packaged.
 * Reads the layout that GeoLite2 City and DB-IP City Lite share. Keeps no address.
 */
import { readFile } from "node:fs/promises";
import { type CityResponse, Reader } from "mmdb-lib";
import { ClickstreamError } from "../errors.ts";
import { NOWHERE, type Place } from "../model/place.ts";
import { publicAddress } from "./address.ts";

/**
 * The table is held in memory, 60 to 130 MB, and a lookup takes some microseconds. Names are the English ones. Private,
 * reserved, unknown and malformed addresses are nowhere. Throws `config` where `path` is no table of cities.
 */
export async function placeLookup(path: string): Promise<(ip: string) => Place> {
  const reader = await readerOf(path);
  return (ip) => {
    const address = publicAddress(ip);
    const row = address === "" ? null : reader.get(address);
    return row ? placeOf(row) : NOWHERE;
  };
}

async function readerOf(path: string): Promise<Reader<CityResponse>> {
  let reader: Reader<CityResponse>;
  try {
    reader = new Reader<CityResponse>(await readFile(path));
  } catch (cause) {
    throw new ClickstreamError("config", `--places ${path}: no table in MaxMind's format (.mmdb)`, { cause });
  }
  const type = reader.metadata.databaseType;
  if (!/city/i.test(type))
    throw new ClickstreamError("config", `--places ${path}: a table of ${type}, and one of cities is needed`);
  return reader;
}

/** DB-IP names regions and gives them no code. */
function placeOf({ country, subdivisions: [largest] = [], city }: Partial<CityResponse>): Place {
  const regionName = largest?.names?.en ?? "";
  const hasCode = country?.iso_code && largest?.iso_code;
  return {
    region: hasCode ? `${country.iso_code}-${largest.iso_code}` : regionName,
    regionName,
    city: city?.names?.en ?? "",
  };
}
