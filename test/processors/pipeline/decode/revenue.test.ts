import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_MINOR, minorDigits, revenue } from "../../../../processors/pipeline/decode/revenue.ts";

describe("revenue", () => {
  it.each([
    { amount: 12.5, currency: "USD", minor: 1_250 },
    { amount: "19.99", currency: "eur", minor: 1_999 },
    { amount: 1.005, currency: "USD", minor: 101 },
    { amount: "1.004999", currency: "USD", minor: 100 },
    { amount: 0.1, currency: " usd ", minor: 10 },
    { amount: 12_000, currency: "KRW", minor: 12_000 },
    { amount: 12.5, currency: "JPY", minor: 13 },
    { amount: "1.2345", currency: "KWD", minor: 1_235 },
    { amount: -12.5, currency: "USD", minor: -1_250 },
    { amount: "-0.005", currency: "USD", minor: -1 },
    { amount: "-0.004", currency: "USD", minor: 0 },
    { amount: ".5", currency: "USD", minor: 50 },
    { amount: "5.", currency: "USD", minor: 500 },
    { amount: "+007", currency: "USD", minor: 700 },
    { amount: 1e-7, currency: "USD", minor: 0 },
    { amount: 0, currency: "USD", minor: 0 },
    { amount: 10_000_000_000, currency: "USD", minor: MAX_MINOR },
  ])("reads $amount $currency as $minor minor units", ({ amount, currency, minor }) => {
    // toBe tells 0 from -0.
    const read = revenue({ amount, currency }, "$");
    expect(read).toEqual({ currency: currency.trim().toUpperCase(), minor });
    expect("minor" in read && read.minor).toBe(minor);
  });

  it.each([
    { raw: 5, reason: "invalid_revenue", message: "$: not an object" },
    { raw: {}, reason: "invalid_revenue", message: "$.currency: not an ISO 4217 code" },
    {
      raw: { amount: 1, currency: "ABC" },
      reason: "invalid_revenue",
      message: "$.currency: not an ISO 4217 code",
    },
    {
      raw: { amount: 1, currency: 840 },
      reason: "invalid_revenue",
      message: "$.currency: not an ISO 4217 code",
    },
    { raw: { currency: "USD" }, reason: "invalid_revenue", message: "$.amount: not a decimal number" },
    {
      raw: { amount: "", currency: "USD" },
      reason: "invalid_revenue",
      message: "$.amount: not a decimal number",
    },
    {
      raw: { amount: ".", currency: "USD" },
      reason: "invalid_revenue",
      message: "$.amount: not a decimal number",
    },
    {
      raw: { amount: "1,5", currency: "USD" },
      reason: "invalid_revenue",
      message: "$.amount: not a decimal number",
    },
    {
      raw: { amount: "0x10", currency: "USD" },
      reason: "invalid_revenue",
      message: "$.amount: not a decimal number",
    },
    {
      raw: { amount: "1e5", currency: "USD" },
      reason: "invalid_revenue",
      message: "$.amount: not a decimal number",
    },
    {
      raw: { amount: Number.NaN, currency: "USD" },
      reason: "invalid_revenue",
      message: "$.amount: not a decimal number",
    },
    {
      raw: { amount: Infinity, currency: "USD" },
      reason: "invalid_revenue",
      message: "$.amount: not a decimal number",
    },
    {
      raw: { amount: 1e22, currency: "USD" },
      reason: "too_large",
      message: "$.amount: over 1000000000000 minor units",
    },
    {
      raw: { amount: "9".repeat(1_000), currency: "USD" },
      reason: "too_large",
      message: "$.amount: over 1000000000000 minor units",
    },
    {
      raw: { amount: "10000000000.01", currency: "USD" },
      reason: "too_large",
      message: "$.amount: over 1000000000000 minor units",
    },
  ])("refuses $raw", ({ raw, reason, message }) => {
    expect(revenue(raw, "$")).toEqual({ reason, message });
  });

  it("gives every whole number of minor units back, in every kind of currency", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -1e12, max: 1e12 }),
        fc.constantFrom("KRW", "USD", "KWD", "CLF"),
        (minor, currency) => {
          const digits = minorDigits(currency);
          const text = String(Math.abs(minor)).padStart(digits + 1, "0");
          const whole = text.slice(0, text.length - digits);
          const amount = `${minor < 0 ? "-" : ""}${whole}${digits === 0 ? "" : `.${text.slice(-digits)}`}`;
          expect(revenue({ amount, currency }, "$")).toEqual({ currency, minor });
        },
      ),
    );
  });
});
