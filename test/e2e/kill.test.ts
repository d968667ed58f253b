import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drill } from "../campaign/kill.ts";
import { type ServerProcess, startServer } from "../kit/server.ts";
import { temporaryDirectory } from "../kit/temporary.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 11);
const ROUNDS = 2;
const sites = Array.from({ length: ROUNDS }, (_, round) => `round-${round}`);

const data = temporaryDirectory();
let server: ServerProcess;
beforeAll(async () => {
  server = await startServer({ data, args: sites.flatMap((site) => ["--site", site]) });
});
afterAll(async () => {
  await server?.stop();
});

describe(`a server that is killed under load (RIVULET_SEED=${SEED})`, () => {
  it.each(sites.map((site, round) => ({ site, round })))(
    "has counted every acknowledged batch once and every other at most once, kill $round",
    async ({ site, round }) => {
      const drilled = await drill(server, { data, site, seed: SEED + round, connections: 8 });
      server = drilled.server;
      expect(drilled.result.problems).toEqual([]);
    },
    60_000,
  );
});
