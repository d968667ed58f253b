/** Countries by address where clicks do not come through CloudFront: from the table in the functions' layer. */
import { ENV } from "../env.ts";

const table = process.env[ENV.countries];

/** "" for every address where CloudFront says the country: it is in the envelope, before the address is hashed. */
export const country: (ip: string) => string = table ? await lookup(table) : () => "";

async function lookup(path: string): Promise<(ip: string) => string> {
  const { countryLookup } = await import("../geo/country.ts");
  return countryLookup(path);
}
