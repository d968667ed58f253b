import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drill } from "../campaign/kill.ts";
import { type ServerProcess, startServer } from "../kit/server.ts";
import { temporary } from "./kit.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 11);
const ROUNDS = 2;
const sites = Array.from({ length: ROUNDS }, (_, round) => `round-${round}`);

let data: Awaited<ReturnType<typeof temporary>>;
let server: ServerProcess;
beforeAll(async () => {
  data = await temporary("kill");
  server = await startServer({ data: data.path, args: sites.flatMap((site) => ["--site", site]) });
});
afterAll(async () => {
  await server?.stop();
  await data.remove();
});

describe(`a server that is killed under load (RIVULET_SEED=${SEED})`, () => {
  it.each(sites.map((site, round) => ({ site, round })))(
    "has counted every acknowledged batch once and every other at most once, kill $round",
    async ({ site, round }) => {
      const drilled = await drill(server, { data: data.path, site, seed: SEED + round, connections: 8 });
      server = drilled.server;
      expect(drilled.result.problems).toEqual([]);
    },
    60_000,
  );
});
