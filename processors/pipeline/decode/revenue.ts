/** Money on the wire, in major units, to whole minor units by ISO 4217. Decimal text only: 19.99 * 100 is not 1999. */
import type { Reject, Revenue } from "../../model/event.ts";
import { isObject, reject } from "./checks.ts";

/** Active codes with two digits. Source: ISO 4217 list one (SIX, 2024). Closed, so that rollups cannot grow by made-up codes. */
const TWO_DIGITS =
  "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW " +
  "CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS " +
  "INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN " +
  "NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC " +
  "SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG";
const NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
const THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND";
const FOUR_DIGITS = "CLF UYW";

const EXPONENTS: ReadonlyMap<string, number> = new Map([
  ...NO_DIGITS.split(" ").map((code) => [code, 0] as const),
  ...TWO_DIGITS.split(" ").map((code) => [code, 2] as const),
  ...THREE_DIGITS.split(" ").map((code) => [code, 3] as const),
  ...FOUR_DIGITS.split(" ").map((code) => [code, 4] as const),
]);

/** One event's ceiling, in minor units: 9,000 of the largest still add up exactly in a double. */
export const MAX_MINOR = 1_000_000_000_000;

/** Revenue in minor units, rounded half away from zero; negative is a refund. `raw` is `{amount, currency}`. */
export function revenue(raw: unknown, field: string): Revenue | Reject {
  if (!isObject(raw)) return reject("invalid_revenue", `${field}: not an object`);
  const currency = typeof raw.currency === "string" ? raw.currency.trim().toUpperCase() : "";
  const exponent = EXPONENTS.get(currency);
  if (exponent === undefined) return reject("invalid_revenue", `${field}.currency: not an ISO 4217 code`);
  const text = decimalText(raw.amount);
  const parts = text === undefined ? null : /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(text);
  if (parts === null || !(parts[2] || parts[3])) {
    return reject("invalid_revenue", `${field}.amount: not a decimal number`);
  }
  const [, sign, whole = "", fraction = ""] = parts;
  const digits = (whole + fraction.slice(0, exponent).padEnd(exponent, "0")).replace(/^0+(?=\d)/, "");
  const isRoundedUp = (fraction[exponent] ?? "0") >= "5";
  // The length is checked first: a thousand digits must not reach Number.
  const minor = digits.length > 13 ? Number.POSITIVE_INFINITY : Number(digits) + (isRoundedUp ? 1 : 0);
  if (minor > MAX_MINOR) return reject("too_large", `${field}.amount: over ${MAX_MINOR} minor units`);
  // `0 - 0` instead of `-0`, which JSON and codecs would each write in their own way.
  return { currency, minor: sign === "-" ? 0 - minor : minor };
}

/** Plain decimal notation of a number or numeric text; undefined when it is neither. */
function decimalText(amount: unknown): string | undefined {
  if (typeof amount === "string") return amount.trim();
  if (typeof amount !== "number" || !Number.isFinite(amount)) return undefined;
  const shortest = String(amount);
  // 1e-7 has to become 0.0000001; 1e21 and more would only get here to be refused as too large.
  return !shortest.includes("e")
    ? shortest
    : Math.abs(amount) < 1
      ? amount.toFixed(20)
      : BigInt(amount).toString();
}

/** Decimal digits of a currency's minor unit. */
export const minorDigits = (currency: string): number => EXPONENTS.get(currency) ?? 2;
