/** Reads and writes what the steps of a rebuild on AWS leave in the bucket for each other. */
import type { ArchiveObjects } from "../../archives/objects.ts";
import { ClickstreamError } from "../../errors.ts";
import type { ArchiveRow } from "../../model/archive.ts";
import type { EpochMs } from "../../model/time.ts";
import { decodeJson, encodeJson } from "../json.ts";
import { inPortions } from "../portions.ts";
import {
  type Begun,
  decodeWindows,
  type Erasing,
  keyOfErasing,
  keysOfRun,
  type LotErasure,
  NOT_ERASING,
  type Plan,
  type Sorted,
  type Windows,
} from "./files.ts";

const AT_ONCE = 16;

/** What one execution left. Throws `not_found` for what a step needs and none wrote, or what is gone since. */
export class LeftObjects {
  readonly #objects: ArchiveObjects;
  readonly #run: string;
  readonly keys: ReturnType<typeof keysOfRun>;

  constructor(objects: ArchiveObjects, run: string) {
    this.#objects = objects;
    this.#run = run;
    this.keys = keysOfRun(run);
  }

  /** What was found of the rows of all portions. */
  async sorted(): Promise<{ readonly since: ReadonlyMap<string, EpochMs>; readonly earliest: EpochMs }> {
    const since = new Map<string, EpochMs>();
    let earliest = Number.POSITIVE_INFINITY;
    await this.each<Sorted>(this.keys.sorted, (sorted) => {
      for (const [shard, at] of Object.entries(sorted.since))
        since.set(shard, Math.min(since.get(shard) ?? at, at));
      earliest = Math.min(earliest, sorted.earliest ?? earliest);
    });
    return { since, earliest };
  }

  /** What goes of all lots. */
  async erasures(): Promise<LotErasure> {
    const all = { entries: [], fresh: [], hours: [], rows: 0 } as {
      -readonly [Key in keyof LotErasure]: LotErasure[Key] extends readonly (infer One)[] ? One[] : number;
    };
    await this.each<LotErasure>(this.keys.erasures, ({ entries, fresh, hours, rows }) => {
      for (const entry of entries) all.entries.push(entry);
      for (const record of fresh) all.fresh.push(record);
      for (const hour of hours) all.hours.push(hour);
      all.rows += rows;
    });
    return all;
  }

  /** What an execution that failed had to know of rows that it had begun to take out. */
  async erasing({ site, erased }: Begun): Promise<Erasing> {
    // Null when it is over.
    const found = erased && (await this.json<Erasing | null>(keyOfErasing(site, erased)));
    return found ?? NOT_ERASING;
  }

  /** Hours that rows which go are of, or went before. */
  async hoursGone(begun: Begun): Promise<Set<EpochMs>> {
    const [{ hours }, before] = [await this.erasures(), await this.erasing(begun)];
    return new Set([...hours, ...before.hours]);
  }

  /** Rows of an object of the archive: none where it is there no longer. */
  async archivedRows(key: string, site: string): Promise<ArchiveRow[]> {
    try {
      return await this.#objects.readRows(key, site);
    } catch (error) {
      if (error instanceof ClickstreamError && error.code === "not_found") return [];
      throw error;
    }
  }

  /** What it was told, and found when it began. */
  async begun(): Promise<Begun> {
    return this.#needed(await this.json<Begun>(this.keys.begun), this.keys.begun);
  }

  /** How its work was cut. */
  async plan(): Promise<Plan> {
    return this.#needed(await this.json<Plan>(this.keys.plan), this.keys.plan);
  }

  /** Windows under a key of a lot, or of all. */
  async windows(key: string): Promise<Windows> {
    return decodeWindows(this.#needed(await this.#objects.get(key), key));
  }

  #needed<T>(found: T | undefined, key: string): T {
    if (found === undefined) throw new ClickstreamError("not_found", `rebuild ${this.#run}: ${key} is gone`);
    return found;
  }

  /** What lies below a prefix, one after the other in the order of keys. */
  async each<T>(prefix: string, take: (value: T) => void): Promise<void> {
    const values: (T | undefined)[] = [];
    const keys = await this.#objects.list(prefix);
    await inPortions([...keys.entries()], AT_ONCE, async ([i, { key }]) => {
      values[i] = await this.json<T>(key);
    });
    for (const value of values) if (value !== undefined) take(value);
  }

  /** Undefined where nothing is. */
  async json<T>(key: string): Promise<T | undefined> {
    const bytes = await this.#objects.get(key);
    return bytes && decodeJson<T>(bytes);
  }

  async write(key: string, value: unknown): Promise<void> {
    await this.#objects.put(key, encodeJson(value));
  }
}
