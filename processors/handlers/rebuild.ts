/** Lambda entry of a rebuild's workflow: does the step that the state machine names. An error's name is its code, by which the state machine decides what to try again. */
import type { Context } from "aws-lambda";
import { ENV, requireEnv } from "../env.ts";
import { lazy } from "./lazy.ts";
import { type RebuildEvent, rebuildStep } from "./rebuildstep.ts";
import { clock, store } from "./services.ts";

const bucket = requireEnv(process.env, ENV.archiveBucket);
const objects = lazy(async () => {
  const { archiveObjects } = await import("../archives/bucketrows.ts");
  return archiveObjects({ bucket });
});

/** Whoever has less left answers how far they came. The longest single window takes a fraction of it. */
const RESERVE_MS = 120_000;

export const handler = (
  event: RebuildEvent,
  context: Pick<Context, "getRemainingTimeInMillis">,
): Promise<unknown> =>
  rebuildStep(
    { store, clock, objects, hasTime: () => context.getRemainingTimeInMillis() > RESERVE_MS },
    event,
  );
