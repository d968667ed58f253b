/** Rows in the objects of an S3 bucket, as Firehose writes them and as a rebuild does. */
import { ClickstreamError } from "../errors.ts";
import { type BucketObjectsOptions, bucketObjects } from "./bucket.ts";
import type { ArchiveObjects } from "./objects.ts";
import { decodeParquet, encodeParquet } from "./parquet.ts";
import { placeOf, rowOf, type Values, valuesOf } from "./values.ts";

const SITE = placeOf("site");
const PROPS = placeOf("props");

export function archiveObjects(options: BucketObjectsOptions): ArchiveObjects {
  const objects = bucketObjects(options);
  return {
    ...objects,
    async readRows(key, site) {
      const bytes = await objects.get(key);
      if (!bytes) throw new ClickstreamError("not_found", `S3 object ${key} is gone`);
      return (await decodeParquet(bytes)).map((values) => rowOf(completed(values, site)));
    },
    writeRows: (key, rows) => objects.put(key, encodeParquet(rows.map(valuesOf))),
  };
}

/** Firehose has the site in the path alone, and an event without properties may have null there. */
function completed(values: unknown[], site: string): Values {
  values[SITE] ??= site;
  values[PROPS] ??= [];
  return values;
}
