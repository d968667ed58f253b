/** What every archive driver must do. `open` gives an empty archive and a way to see what it keeps. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Archive, ArchivedRows } from "../../processors/archives/archive.ts";
import {
  type ArchiveRow,
  type CountedRow,
  compareRows,
  LATER_COLUMNS,
} from "../../processors/model/archive.ts";
import { NOON } from "../processors/pipeline/lines.ts";

export interface OpenArchive {
  readonly archive: Archive;
  /** All rows that are kept, repeats dropped, in the order of the fold. */
  stored(): Promise<ArchiveRow[]>;
  close(): Promise<void>;
}

const NONE = {
  late: false,
  imported: false,
  fresh: false,
  interactive: true,
  visit_source: null,
  visit_channel: null,
  visit_referrer: null,
  visit_utm_source: null,
  visit_utm_medium: null,
  visit_utm_campaign: null,
  visit_utm_term: null,
  visit_utm_content: null,
  visit_entry_page: null,
  visit_device: null,
  visit_browser: null,
  visit_os: null,
  visit_country: null,
  visit_screen: null,
  visit_language: null,
  props: [],
  currency: null,
  amount_minor: null,
  engaged_ms: null,
  scroll_depth: null,
  lcp: null,
  inp: null,
  cls: null,
  fcp: null,
  ttfb: null,
  rejected: null,
  count: 0,
  visit_browser_version: "142",
  visit_os_version: null,
  visit_region: "KR-26",
  visit_region_name: "Busan",
  visit_city: null,
};

/** What a rebuild sees of a row. */
export function counted(row: CountedRow | undefined): CountedRow {
  const later: ReadonlySet<string> = new Set(LATER_COLUMNS.map(({ name }) => name));
  return Object.fromEntries(
    Object.entries(row ?? {}).filter(([name]) => !later.has(name)),
  ) as unknown as CountedRow;
}

/** All that a rebuild sees of a site. */
export async function countedIn(archive: ArchivedRows, site = "example.com"): Promise<CountedRow[]> {
  const rows: CountedRow[] = [];
  for await (const portion of archive.read(site)) rows.push(...portion.map(counted));
  return rows;
}

/** A page view, the nth of its visitor. */
export const row = (n: number, over: Partial<ArchiveRow> = {}): ArchiveRow => ({
  ...NONE,
  site: "example.com",
  shard: "shard-0",
  sequence: String(n),
  index: 0,
  at: NOON + n,
  received_at: NOON + n + 5,
  visitor: "00c0ffee00c0ffee",
  visit: NOON,
  name: "pageview",
  hostname: "example.com",
  page: `/${n}`,
  ...over,
});

const FULL = row(7, {
  late: true,
  imported: true,
  fresh: true,
  interactive: false,
  name: '구매 \u2028 "x"\n',
  page: "/a,b\tc",
  visit_source: "Google",
  visit_utm_term: "",
  visit_country: "KR",
  props: [
    ["plan", "pro"],
    ["__proto__", "1"],
  ],
  currency: "KRW",
  amount_minor: -(2 ** 50),
  engaged_ms: 4_200,
  scroll_depth: 80,
  lcp: 1_234.5,
  cls: 0.01,
});
const REJECT = row(8, {
  visitor: null,
  visit: null,
  name: null,
  hostname: null,
  page: null,
  rejected: "bot",
  count: 3,
});

export function archiveConformance(name: string, open: () => Promise<OpenArchive>): void {
  describe(`the archive ${name}`, () => {
    let opened: OpenArchive;
    beforeEach(async () => {
      opened = await open();
    });
    afterEach(() => opened.close());

    it("keeps every value as it was, also of rejects", async () => {
      await opened.archive.write([FULL, REJECT]);
      expect(await opened.stored()).toEqual([FULL, REJECT]);
    });

    it("keeps what was written in many portions at once", async () => {
      const rows = Array.from({ length: 1_200 }, (_, i) => row(i + 1));
      await Promise.all([
        opened.archive.write(rows.slice(0, 700)),
        opened.archive.write(rows.slice(700, 701)),
        opened.archive.write(rows.slice(701)),
      ]);
      expect(await opened.stored()).toEqual(rows);
    });

    it("lets a row that was written again be told by its identity", async () => {
      await opened.archive.write([row(1), row(2)]);
      await opened.archive.write([row(2), row(3), row(3, { index: 1 })]);
      expect(await opened.stored()).toEqual([row(1), row(2), row(3), row(3, { index: 1 })]);
    });

    it("takes nothing without a word", async () => {
      await opened.archive.write([]);
      expect(await opened.stored()).toEqual([]);
    });
  });
}

/** For drivers' `stored`. */
export function onceInOrder(rows: readonly ArchiveRow[]): ArchiveRow[] {
  const sorted = [...rows].sort(compareRows);
  return sorted.filter((one, i) => i === 0 || compareRows(sorted[i - 1]!, one) !== 0);
}
