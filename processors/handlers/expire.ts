/** Lambda entry of the daily deletion: takes out of the archive's bucket what sites keep no longer. A missed or doubled run does no harm. */
import { ENV, requireEnv } from "../env.ts";
import { deleteExpiredObjects } from "../pipeline/archiveexpiry.ts";
import { lazy } from "./lazy.ts";
import { clock, store } from "./services.ts";

const bucket = requireEnv(process.env, ENV.archiveBucket);
const objects = lazy(async () => {
  const { bucketObjects } = await import("../archives/bucket.ts");
  return bucketObjects({ bucket });
});

export const handler = async (): Promise<{ readonly deleted: number }> => ({
  deleted: await deleteExpiredObjects({ store, clock, objects }),
});
