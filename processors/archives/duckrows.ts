/** Takes archive rows out of DuckDB: what is selected of them, and how rows are made of it. Opens and asks nothing. */
import { type CountedRow, VISIT_COLUMNS } from "../model/archive.ts";

/** Parts of a text that stand for several columns: a control character that almost no value holds. */
const SEPARATOR = "\u001f";
const VISIT = VISIT_COLUMNS.map((name) => `"${name}"`);
/** Null for almost every row. */
const RARE = [
  "currency",
  "amount_minor",
  "engaged_ms",
  "scroll_depth",
  "lcp",
  "inp",
  "cls",
  "fcp",
  "ttfb",
  "rejected",
] as const satisfies readonly (keyof CountedRow)[];

/**
 * A text of more than twelve bytes takes some two microseconds to fetch, whatever its length, and even a null 0.2. So
 * what is long and of few values comes as a number, the pseudonym as two, and what belongs together as one text. With one
 * text a column, fetching took two thirds of a rebuild's reading.
 */
const columnsOf = (shards: string): readonly (readonly [name: string, sql: string])[] => [
  ["shard", `list_position(${shards}, shard)`],
  ["sequence", "sequence"],
  ["index", '"index"'],
  ["at", 'CAST("at" AS DOUBLE)'],
  ["received_at", "CAST(received_at AS DOUBLE)"],
  ["late", "late"],
  ["imported", "imported"],
  ["high", "CAST('0x' || left(visitor, 8) AS UINTEGER)"],
  ["low", "CAST('0x' || right(visitor, 8) AS UINTEGER)"],
  ["fresh", "fresh"],
  ["visit", "CAST(visit AS DOUBLE)"],
  ["name", "name"],
  ["hostname", "hostname"],
  ["page", "page"],
  ["interactive", "interactive"],
  // Null where one of them is.
  ["attributes", VISIT.join(" || chr(31) || ")],
  [
    "oddAttributes",
    `CASE WHEN contains(concat(${VISIT.join(", ")}), chr(31))
       OR ((${VISIT.join(" || ")}) IS NULL AND coalesce(${VISIT.join(", ")}) IS NOT NULL)
     THEN CAST(to_json([${VISIT.join(", ")}]) AS VARCHAR) END`,
  ],
  ["props", "CAST(to_json(map_entries(props)) AS VARCHAR)"],
  [
    "rare",
    `CASE WHEN ${RARE.map((name) => `"${name}" IS NOT NULL`).join(" OR ")}
     THEN CAST(to_json([${RARE.map((name) => `to_json("${name}")`).join(", ")}]) AS VARCHAR) END`,
  ],
  ["count", "CAST(count AS DOUBLE)"],
];

/** What to select of archived rows, for `rowMaker`; `shards` is the parameter with the list of their shards. */
export const selected = (shards: string): string =>
  columnsOf(shards)
    .map(([name, sql]) => `${sql} AS "${name}"`)
    .join(", ");

/** Different texts whose values are remembered. */
const MAX_REMEMBERED = 20_000;
type Props = CountedRow["props"];
type Attributes = readonly (string | null)[];
type Rare = Pick<CountedRow, (typeof RARE)[number]>;

const NO_ATTRIBUTES: Attributes = VISIT_COLUMNS.map(() => null);
const NO_RARE = Object.fromEntries(RARE.map((name) => [name, null])) as unknown as Rare;

/** What a pure function makes of texts, remembered for some of them. */
function remembered<T>(work: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    let value = known.get(text);
    if (value === undefined) {
      if (known.size >= MAX_REMEMBERED) known.clear();
      value = work(text);
      known.set(text, value);
    }
    return value;
  };
}

/** The columns of a chunk, in the order in which they are selected. */
type Chunk = readonly [
  shard: readonly number[],
  sequence: readonly string[],
  index: readonly number[],
  at: readonly number[],
  receivedAt: readonly number[],
  late: readonly boolean[],
  imported: readonly boolean[],
  high: readonly (number | null)[],
  low: readonly number[],
  fresh: readonly boolean[],
  visit: readonly (number | null)[],
  name: readonly (string | null)[],
  hostname: readonly (string | null)[],
  page: readonly (string | null)[],
  interactive: readonly boolean[],
  attributes: readonly (string | null)[],
  oddAttributes: readonly (string | null)[],
  props: readonly (string | null)[],
  rare: readonly (string | null)[],
  count: readonly number[],
];

const rareOf = (text: string): Rare => {
  const values = JSON.parse(text) as unknown[];
  return Object.fromEntries(RARE.map((name, i) => [name, values[i]])) as unknown as Rare;
};

/** Makes rows of a site out of the columns of one chunk after the other. `shards` as they were given to the selection. */
export function rowMaker(
  site: string,
  shards: readonly string[],
): (columns: readonly (readonly unknown[])[], count: number) => CountedRow[] {
  const propsOf = remembered(
    (text): Props =>
      (JSON.parse(text) as { key: string; value: string }[]).map(({ key, value }) => [key, value]),
  );
  const attributesOf = remembered((text): Attributes => text.split(SEPARATOR));
  return (columns, count) => {
    const [
      shard,
      sequence,
      index,
      at,
      receivedAt,
      late,
      imported,
      high,
      low,
      fresh,
      visitAt,
      name,
      hostname,
      page,
      interactive,
      attributes,
      odd,
      props,
      rareTexts,
      counts,
    ] = columns as unknown as Chunk;
    const rows: CountedRow[] = [];
    for (let i = 0; i < count; i++) {
      const [text, oddText, rareText] = [attributes[i]!, odd[i]!, rareTexts[i]!];
      const visit =
        oddText !== null
          ? (JSON.parse(oddText) as Attributes)
          : text === null
            ? NO_ATTRIBUTES
            : attributesOf(text);
      const rare = rareText === null ? NO_RARE : rareOf(rareText);
      const half = high[i]!;
      rows.push({
        site,
        shard: shards[shard[i]! - 1]!,
        sequence: sequence[i]!,
        index: index[i]!,
        at: at[i]!,
        received_at: receivedAt[i]!,
        late: late[i]!,
        imported: imported[i]!,
        visitor: half === null ? null : hex(half) + hex(low[i]!),
        fresh: fresh[i]!,
        visit: visitAt[i]!,
        name: name[i]!,
        hostname: hostname[i]!,
        page: page[i]!,
        interactive: interactive[i]!,
        visit_source: visit[0]!,
        visit_channel: visit[1]!,
        visit_referrer: visit[2]!,
        visit_utm_source: visit[3]!,
        visit_utm_medium: visit[4]!,
        visit_utm_campaign: visit[5]!,
        visit_utm_term: visit[6]!,
        visit_utm_content: visit[7]!,
        visit_entry_page: visit[8]!,
        visit_device: visit[9]!,
        visit_browser: visit[10]!,
        visit_os: visit[11]!,
        visit_country: visit[12]!,
        visit_screen: visit[13]!,
        visit_language: visit[14]!,
        props: props[i] === null ? [] : propsOf(props[i]!),
        currency: rare.currency,
        amount_minor: rare.amount_minor,
        engaged_ms: rare.engaged_ms,
        scroll_depth: rare.scroll_depth,
        lcp: rare.lcp,
        inp: rare.inp,
        cls: rare.cls,
        fcp: rare.fcp,
        ttfb: rare.ttfb,
        rejected: rare.rejected,
        count: counts[i]!,
      });
    }
    return rows;
  };
}

const hex = (half: number): string => half.toString(16).padStart(8, "0");
