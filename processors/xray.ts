/** Reads a trace back from AWS X-Ray: the documents that the participants sent, as they sent them. */
import { BatchGetTracesCommand, XRayClient } from "@aws-sdk/client-xray";
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
      const answer = await xray.send(
        new BatchGetTracesCommand({ TraceIds: [id], ...(NextToken ? { NextToken } : {}) }),
      );
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
