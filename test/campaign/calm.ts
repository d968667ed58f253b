/** What a world comes to when nothing goes wrong: worked out once, by one worker and one compactor, and by the oracle. */
import { keyedHash } from "../../processors/crypto.ts";
import { Rollup } from "../../processors/model/rollup.ts";
import { partitionKeyOf, type StreamLine } from "../../processors/model/streamfile.ts";
import { DAY_MS, type EpochMs } from "../../processors/model/time.ts";
import { ShardWorker } from "../../processors/pipeline/aggregate.ts";
import { readCommits } from "../../processors/pipeline/commit.ts";
import { compact } from "../../processors/pipeline/compact.ts";
import { registerSites } from "../../processors/pipeline/sites.ts";
import { dayOf } from "../../processors/pipeline/visitor.ts";
import { memoryStore } from "../../processors/stores/memory.ts";
import type { Store } from "../../processors/stores/store.ts";
import { type ManualClock, manualClock } from "../kit/clock.ts";
import { Oracle } from "../kit/oracle.ts";
import { hexOf, rollupsIn } from "../kit/rollups.ts";
import { dataOf, type World } from "./world.ts";

/** Bytes of every rollup item that holds one. */
export async function rollupsOf(store: Store, { sites }: World): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const { id } of sites)
    for await (const { granularity, sk, rollup } of rollupsIn(store, id))
      found.set(`${granularity} ${id} ${sk}`, hexOf(rollup));
  return found;
}

/** Sites, and salts that follow from the day: made on demand, visitor ids would depend on who came first. */
export async function furnish(
  store: Store,
  clock: ManualClock,
  { sites, lines }: World,
  fixedSalts: boolean,
): Promise<void> {
  await registerSites(store, clock, sites);
  if (!fixedSalts) return;
  const days = new Set(lines.flatMap(({ envelope }) => [dayOf(envelope.at) - 1, dayOf(envelope.at)]));
  for (const name of ["identity", ...days].map(String))
    await store.put(
      { pk: "salt", sk: name, value: new TextEncoder().encode(`salt of ${name}`.padEnd(16)) },
      0,
    );
}

/** When everything has happened and every day of the world is over. */
export const endOf = ({ to }: World): EpochMs => to + 2 * DAY_MS;

/** What a world comes to when one worker and one compactor do all the work and nothing goes wrong. */
export class Calm {
  readonly world: World;
  readonly #oracles = new Map<string, Oracle>();
  readonly #folded = new Map<string, Promise<string>>();
  #rollups: Promise<ReadonlyMap<string, string>> | undefined;

  constructor(world: World) {
    this.world = world;
  }

  /** What the oracle says of these batches. */
  oracle(counted: readonly number[]): Oracle {
    const key = counted.join();
    let oracle = this.#oracles.get(key);
    if (!oracle) {
      const lines = counted.map((batch) => this.world.batches[batch]!.line);
      oracle = new Oracle(lines, { sites: this.world.sites.map(({ id }) => id) });
      this.#oracles.set(key, oracle);
    }
    return oracle;
  }

  rollups(): Promise<ReadonlyMap<string, string>> {
    this.#rollups ??= (async () => {
      const { store, clock } = await this.#process(this.world.lines);
      clock.advanceTo(endOf(this.world));
      await compact({ store, clock });
      return rollupsOf(store, this.world);
    })();
    return this.#rollups;
  }

  /** All of a site's rollups as one, of these batches alone, as bytes. */
  folded(site: string, counted: readonly number[]): Promise<string> {
    const key = JSON.stringify([site, ...counted]);
    let bytes = this.#folded.get(key);
    if (!bytes) {
      bytes = this.#fold(site, counted);
      this.#folded.set(key, bytes);
    }
    return bytes;
  }

  /** The dimensions that all batches of a site fill. */
  async dimensions(site: string): Promise<readonly string[]> {
    const own = this.world.batches.flatMap((batch, i) => (batch.site === site ? [i] : []));
    return Rollup.decode(Buffer.from(await this.folded(site, own), "hex")).dimensions;
  }

  async #fold(site: string, counted: readonly number[]): Promise<string> {
    const { store } = await this.#process(counted.map((batch) => this.world.batches[batch]!.line));
    const all = new Rollup();
    for (const { partials } of await readCommits(store, "calm", 0))
      for (const rollup of partials.get(site)?.windows.values() ?? []) all.merge(rollup);
    all.rejects.clear();
    return hexOf(all);
  }

  async #process(lines: readonly StreamLine[]): Promise<{ store: Store; clock: ManualClock }> {
    const clock = manualClock(this.world.lines[0]!.arrival);
    const store = memoryStore({ clock });
    await furnish(store, clock, this.world, true);
    const deps = {
      store,
      clock,
      hash: keyedHash,
      country: () => "",
      randomBytes: (n: number) => new Uint8Array(n),
    };
    const worker = new ShardWorker(deps, { id: "calm", parents: [] });
    await worker.process(
      lines.map((line, i) => ({
        sequence: String(100 + i),
        partitionKey: partitionKeyOf(line.envelope),
        arrivalAt: line.arrival,
        data: new TextEncoder().encode(dataOf(line)),
      })),
    );
    return { store, clock };
  }
}
