/** Fills 160,000 counts with a million visitors by Zipf's law, in rollups or naively, and prints the heap they take, MB. */
import { Rollup } from "../../../processors/model/rollup.ts";
import { Random } from "../../kit/random.ts";

const MINUTES = 160;
const VALUES = 1_000;
const random = new Random(42);
const heapMb = (): number => {
  (globalThis as unknown as { gc(): void }).gc();
  return process.memoryUsage().heapUsed / 1e6;
};

/** Everything once, so that all counts are there; then more for the first values. */
const draw = (i: number): number =>
  i < MINUTES * VALUES ? i % VALUES : Math.floor(VALUES ** random.unit()) - 1;
const minuteOf = (i: number): number =>
  i < MINUTES * VALUES ? Math.floor(i / VALUES) : random.below(MINUTES);

const before = heapMb();
const rollups = new Map<number, Rollup>();
const cells = new Map<string, { events: number; pageviews: number; visitors: Set<string> }>();
for (let i = 0; i < 1_000_000; i++) {
  const [minute, value] = [minuteOf(i), `/page/${draw(i)}`];
  const [hi, lo] = [random.uint32(), random.uint32()];
  if (process.argv[2] === "ours") {
    let rollup = rollups.get(minute);
    if (!rollup) {
      rollup = new Rollup();
      rollups.set(minute, rollup);
    }
    const row = rollup.row("event:page", value)!;
    row.events++;
    row.pageviews++;
    row.addVisitor(hi, lo);
  } else {
    const key = `${minute} event:page ${value}`;
    let cell = cells.get(key);
    if (!cell) {
      cell = { events: 0, pageviews: 0, visitors: new Set() };
      cells.set(key, cell);
    }
    cell.events++;
    cell.pageviews++;
    cell.visitors.add(hi.toString(16).padStart(8, "0") + lo.toString(16).padStart(8, "0"));
  }
}
console.log(heapMb() - before, rollups.size + cells.size > 0 ? "" : "never");
