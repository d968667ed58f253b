/** The newest requests that were acknowledged, in memory, to be looked at when somebody asks why nothing is counted. Holds no more than a few. */
import type { EpochMs } from "../../processors/model/time.ts";
import { decodeRecord } from "../../processors/pipeline/decode/record.ts";
import type { RecentRequests } from "../../processors/pipeline/owner.ts";

const MAX_REQUESTS = 64;
/** What is larger is no first page view; it need not be kept. */
const MAX_BYTES = 16 * 1024;

export interface RecentRecords extends RecentRequests {
  add(data: Uint8Array, at: EpochMs): void;
}

/** Records are read only when asked for: a busy server pays for keeping a reference, not for reading it. */
export function recentRecords(): RecentRecords {
  const kept: { readonly data: Uint8Array; readonly at: EpochMs }[] = [];
  return {
    add(data, at) {
      if (data.length > MAX_BYTES) return;
      kept.push({ data, at });
      if (kept.length > MAX_REQUESTS) kept.shift();
    },
    sites: () =>
      [...kept].reverse().flatMap(({ data, at }) =>
        decodeRecord({ sequence: "0", partitionKey: "", arrivalAt: at, data }).batches.map(({ site }) => ({
          site,
          at,
        })),
      ),
  };
}
