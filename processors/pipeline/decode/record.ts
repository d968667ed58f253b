/** What one record of the stream holds: a request as the edge wrote it, or what an import put together. */
import type { Batch, Reject } from "../../model/event.ts";
import type { StreamRecord } from "../../streams/stream.ts";
import { base64Header } from "./base64.ts";
import { decodeBatches } from "./decode.ts";
import { decodeEnvelope } from "./envelope.ts";
import { decodeImported, type Imported, isImported } from "./imported.ts";
import { type Edge, scanRecord } from "./scan.ts";

export interface Decoded {
  readonly record: StreamRecord;
  readonly envelope: Edge | undefined;
  readonly agentText: string;
  readonly batches: readonly Batch[];
  readonly reject: Reject | undefined;
  /** What an import put into one record; then there is no envelope. */
  readonly imported?: Imported;
}

/** Never throws: what cannot be decoded is a reject. */
export function decodeRecord(record: StreamRecord): Decoded {
  if (isImported(record.data)) {
    const imported = decodeImported(record.data, record.arrivalAt);
    const none = { record, envelope: undefined, agentText: "", batches: [] };
    if ("reason" in imported) return { ...none, reject: imported };
    return { ...none, reject: undefined, imported };
  }
  const scanned = scanRecord(record.data, record.arrivalAt);
  if (scanned) {
    const { envelope, agentText, batch } = scanned;
    return { record, envelope, agentText, batches: [batch], reject: undefined };
  }
  return decodePlainly(record);
}

/** The same for every record that it is given, usual or not. */
export function decodePlainly(record: StreamRecord): Decoded {
  const envelope = decodeEnvelope(record.data, record.arrivalAt);
  if ("reason" in envelope)
    return { record, envelope: undefined, agentText: "", batches: [], reject: envelope };
  const agentText = base64Header(envelope.ua64);
  const batches = decodeBatches(envelope);
  if ("reason" in batches) return { record, envelope, agentText, batches: [], reject: batches };
  return { record, envelope, agentText, batches, reject: undefined };
}
