/** How far the local archive's files reach. */
import { describe, expect, it } from "vitest";
import { watchedArchive } from "../../../infra/local/exploring.ts";
import type { FileArchive } from "../../../processors/archives/files.ts";
import type { ArchiveRow } from "../../../processors/model/archive.ts";
import { manualClock } from "../../kit/clock.ts";

const NOON = Date.UTC(2026, 10, 9, 12);
const row = (receivedAt: number, imported = false): ArchiveRow =>
  ({ received_at: receivedAt, imported }) as ArchiveRow;

function watch() {
  const clock = manualClock(NOON);
  const rolls: PromiseWithResolvers<{ files: number; rows: number }>[] = [];
  const roll = () => {
    const next = Promise.withResolvers<{ files: number; rows: number }>();
    rolls.push(next);
    return next.promise;
  };
  const inner = { write: async () => {}, isDue: () => true, roll, compact: roll, close: async () => {} };
  let lag = 0;
  const archive = watchedArchive(inner as unknown as FileArchive, { clock, lagMs: () => lag });
  return {
    clock,
    archive,
    /** Rolls that are under way. */
    rolls,
    lagBehind: (ms: number) => {
      lag = ms;
    },
    /** Ends the roll that began longest ago. */
    end: (error?: Error) =>
      error ? rolls.shift()?.reject(error) : rolls.shift()?.resolve({ files: 1, rows: 1 }),
  };
}

describe("how far the local archive's files reach", () => {
  it("is unknown until journals of an earlier run are seen to, and then now, less what is not counted yet", async () => {
    const { archive, end, lagBehind } = watch();
    expect(archive.archivedUntil()).toBe(0);
    const rolled = archive.roll();
    end();
    await rolled;
    expect(archive.archivedUntil()).toBe(NOON);
    lagBehind(700);
    expect(archive.archivedUntil()).toBe(NOON - 700);
  });

  it("is where the oldest row in a journal was received, until its file is there", async () => {
    const { archive, clock, end } = watch();
    const first = archive.roll();
    end();
    await first;
    await archive.write([row(NOON - 5), row(NOON - 2_000_000, true)]);
    clock.advance(60_000);
    expect(archive.archivedUntil()).toBe(NOON - 5);
    const second = archive.roll();
    await archive.write([row(NOON + 50_000)]);
    expect(archive.archivedUntil()).toBe(NOON - 5);
    end();
    await second;
    expect(archive.archivedUntil()).toBe(NOON + 50_000);
  });

  it("is now once a question had files made of everything, those of an import too", async () => {
    const { archive, clock, rolls, end } = watch();
    await archive.write([row(NOON - 5), row(NOON - 2_000_000, true)]);
    const first = archive.bringUpToDate();
    const second = archive.bringUpToDate();
    expect(rolls).toHaveLength(1);
    end();
    await Promise.all([first, second]);
    expect(archive.archivedUntil()).toBe(NOON);
    await archive.write([row(NOON + 1)]);
    clock.advance(1_999);
    await archive.bringUpToDate();
    expect(rolls).toHaveLength(0);
    expect(archive.archivedUntil()).toBe(NOON + 1);
    clock.advance(1);
    const third = archive.bringUpToDate();
    end();
    await third;
    expect(archive.archivedUntil()).toBe(NOON + 2_000);
  });

  it("fails the question when its files could not be made, and the next one tries again", async () => {
    const { archive, rolls, end } = watch();
    const failed = archive.bringUpToDate();
    end(new Error("disk full"));
    await expect(failed).rejects.toThrow("disk full");
    const next = archive.bringUpToDate();
    expect(rolls).toHaveLength(1);
    end();
    await next;
  });

  it("stays where it was when files could not be made", async () => {
    const { archive, clock, end } = watch();
    const first = archive.roll();
    end();
    await first;
    await archive.write([row(NOON)]);
    clock.advance(60_000);
    const failed = archive.roll();
    end(new Error("disk full"));
    await expect(failed).rejects.toThrow("disk full");
    expect(archive.archivedUntil()).toBe(NOON);
  });

  it("does not pass what a second round has still to do when the first is over, nor what it failed to do", async () => {
    const { archive, clock, end } = watch();
    await archive.write([row(NOON - 5)]);
    const first = archive.roll();
    await archive.write([row(NOON - 3)]);
    const second = archive.compact();
    clock.advance(60_000);
    end();
    await first;
    expect(archive.archivedUntil()).toBe(NOON - 3);
    end(new Error("disk full"));
    await expect(second).rejects.toThrow("disk full");
    expect(archive.archivedUntil()).toBe(NOON - 3);
  });
});
