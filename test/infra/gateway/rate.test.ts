/** Token buckets and who shares one. */
import { describe, expect, it } from "vitest";
import { networkOf, TokenBuckets } from "../../../infra/local/gateway/rate.ts";
import { manualClock } from "../../kit/clock.ts";

describe("a token bucket", () => {
  it("gives its burst at once, then tells how long to wait, and no longer than that", () => {
    const clock = manualClock();
    const buckets = new TokenBuckets({ perSecond: 4, burst: 3 }, clock);
    expect([1, 2, 3].map(() => buckets.take("a"))).toEqual([0, 0, 0]);
    const wait = buckets.take("a");
    expect(wait).toBe(250);
    clock.advance(wait - 1);
    expect(buckets.take("a")).toBe(1);
    clock.advance(1);
    expect(buckets.take("a")).toBe(0);
  });

  it("holds for a long time what it says: perSecond on average, however one asks", () => {
    const clock = manualClock();
    const buckets = new TokenBuckets({ perSecond: 5, burst: 10 }, clock);
    let taken = 0;
    for (let i = 0; i < 10_000; i++) {
      if (buckets.take("a") === 0) taken++;
      clock.advance(10);
    }
    expect(taken).toBeGreaterThanOrEqual(500);
    expect(taken).toBeLessThanOrEqual(510);
  });

  it("is one's own", () => {
    const buckets = new TokenBuckets({ perSecond: 1, burst: 1 }, manualClock());
    expect(buckets.take("a")).toBe(0);
    expect(buckets.take("b")).toBe(0);
    expect(buckets.take("a")).toBeGreaterThan(0);
  });

  it("never holds more than its burst after a pause", () => {
    const clock = manualClock();
    const buckets = new TokenBuckets({ perSecond: 100, burst: 2 }, clock);
    buckets.take("a");
    clock.advance(3_600_000);
    expect([1, 2, 3].map(() => buckets.take("a") === 0)).toEqual([true, true, false]);
  });
});

describe("the network of an address", () => {
  it.each([
    ["192.0.2.7", "192.0.2.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:db8:1:2::6", "2001:db8:1:2"],
    ["2001:db8::6", "2001:db8:0:0"],
    ["::1", "0:0:0:0"],
    ["fe80::1%eth0", "fe80:0:0:0"],
    ["", ""],
  ])("of %s is %s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});
