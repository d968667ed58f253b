/** The archive as files that are put into the bucket at once, one for each site and hour of the rows in hand. */
import { createHash } from "node:crypto";
import { partitionOf, rowsOfSite } from "../model/archive.ts";
import type { Archive } from "./archive.ts";
import { byFolder } from "./layout.ts";
import type { BucketObjects } from "./objects.ts";
import { encodeParquet } from "./parquet.ts";
import { valuesOf } from "./values.ts";

/** Files on their way at the same time. */
const PARALLEL_PUTS = 16;

export function bucketArchive(objects: Pick<BucketObjects, "put">): Archive {
  return {
    async write(rows) {
      const files = [...byFolder([...rows].map(valuesOf), folderOf)];
      for (let i = 0; i < files.length; i += PARALLEL_PUTS)
        await Promise.all(
          files.slice(i, i + PARALLEL_PUTS).map(([folder, own]) => {
            const bytes = encodeParquet(own);
            return objects.put(`${folder}${digestOf(bytes)}.parquet`, bytes);
          }),
        );
    },
    async close() {},
  };
}

function folderOf(site: string, at: number): string {
  const { dt, hour } = partitionOf(at);
  return `${rowsOfSite(site)}dt=${dt}/hour=${hour}/`;
}

/** Names a file by its content: the same rows again are the same file, and no others ever take its place. */
const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex").slice(0, 32);
