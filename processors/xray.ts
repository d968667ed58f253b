/** Traces by AWS X-Ray's own API: segment documents are put there, and read back as the participants sent them. */
import { BatchGetTracesCommand, PutTraceSegmentsCommand, XRayClient } from "@aws-sdk/client-xray";
import { awsError, httpHandler } from "./aws.ts";

/**
 * Segment documents of one trace, parsed; none where X-Ray does not know it: it keeps traces for 30 days, and shows one some
 * seconds after its last segment. Throws `config` (credentials, permissions, region), `throttled` or `unavailable`.
 */
export async function traceDocuments(id: string, client?: XRayClient): Promise<unknown[]> {
  const xray = client ?? new XRayClient({ requestHandler: httpHandler() });
  const documents: unknown[] = [];
  try {
    let NextToken: string | undefined;
    do {
      const answer = await xray.send(new BatchGetTracesCommand({ TraceIds: [id], NextToken }));
      for (const { Segments = [] } of answer.Traces ?? [])
        for (const { Document } of Segments) if (Document) documents.push(JSON.parse(Document));
      NextToken = answer.NextToken;
    } while (NextToken);
    return documents;
  } catch (cause) {
    throw awsError(`X-Ray BatchGetTraces of ${id}`, cause);
  } finally {
    if (!client) xray.destroy();
  }
}

/** As many as X-Ray's daemon puts at once: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html */
const DOCUMENTS_A_PUT = 50;

/**
 * Puts segment documents of up to 64 KB each. Resolves with the number that X-Ray refused. Throws `config` (permissions),
 * `throttled` or `unavailable`; the latter also when `signal` says that it takes too long.
 */
export async function putDocuments(
  documents: readonly string[],
  { client, signal }: { readonly client: XRayClient; readonly signal?: AbortSignal },
): Promise<number> {
  let refused = 0;
  try {
    for (let at = 0; at < documents.length; at += DOCUMENTS_A_PUT) {
      const { UnprocessedTraceSegments = [] } = await client.send(
        new PutTraceSegmentsCommand({ TraceSegmentDocuments: documents.slice(at, at + DOCUMENTS_A_PUT) }),
        signal && { abortSignal: signal },
      );
      refused += UnprocessedTraceSegments.length;
    }
    return refused;
  } catch (cause) {
    throw awsError(`X-Ray PutTraceSegments of ${documents.length}`, cause);
  }
}

/** For functions that put now and then: kept open, and patient for one more attempt. */
export const xrayClient = (): XRayClient => new XRayClient({ requestHandler: httpHandler(), maxAttempts: 2 });
