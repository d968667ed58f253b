/** The local edge alone: checks a batch, renders its record and answers once it is synced to the stream's file. Prints its port. */
import { join } from "node:path";
import { type ApiOptions, apiDocument, ingestMappings } from "../../../infra/api.ts";
import { createGateway } from "../../../infra/local/gateway/gateway.ts";
import { edgeTracing } from "../../../infra/local/traces/edge.ts";
import { systemClock } from "../../../processors/clock.ts";
import { randomBytes } from "../../../processors/crypto.ts";
import { sqliteStream } from "../../../processors/streams/sqlite.ts";

const stream = sqliteStream({ path: join(process.argv[2]!, "stream.db"), clock: systemClock });
const none = () => ({ status: 404, body: "" });
const options: ApiOptions = {
  partition: "aws",
  region: "local",
  streamName: "events",
  ingestRoleArn: "local",
  queryFunctionArn: "local",
  clientAddress: { from: "connection" },
};
const gateway = createGateway({
  document: apiDocument(options),
  mappings: ingestMappings(options),
  putRecord: (record) => stream.put(record),
  functions: new Proxy({}, { get: () => none, has: () => true }),
  clock: systemClock,
  trace: edgeTracing({
    tracer: { segment: () => {} },
    sample: (wish = false) => wish,
    clock: systemClock,
    randomBytes,
  }),
});
const { port } = await gateway.listen(0, "127.0.0.1");
console.log(port);
