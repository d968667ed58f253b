/** What loads a server: batches of made-up visitors as browsers post them, as if just now. */
import type { WireBatch } from "../../processors/model/event.ts";
import { makeCorpus } from "./corpus.ts";
import { postOf } from "./load.ts";

/** Posts of made-up visitors now, `perBatch` events each. */
export function posts(seed: number, count: number, perBatch: number): string[] {
  const now = Date.now();
  const corpus = makeCorpus({ seed, events: count * perBatch, perBatch });
  return corpus.records.map(({ data64 }) => {
    const envelope = JSON.parse(Buffer.from(Buffer.from(data64).toString("latin1"), "base64").toString());
    const batch = JSON.parse(Buffer.from(envelope.body64, "base64").toString()) as WireBatch;
    const shift = now - batch.t!;
    const moved = {
      ...batch,
      s: "demo",
      t: now,
      e: batch.e.map((event) => ({ ...event, t: event.t! + shift })),
    };
    return postOf("/v1/events", JSON.stringify(moved), Buffer.from(envelope.ua64, "base64").toString());
  });
}

/** The same posts with ids of their own, so that none counts as repeated. */
export const renewed = (post: string, round: number): string =>
  post.replace(/"b":"(.{6})/, `"b":"${round.toString(36).padStart(6, "0")}`);
