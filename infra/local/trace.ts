/** Adds `trace` to the program: where one click spent its time, from a running server or from AWS X-Ray. */
import type { Command } from "commander";
import { ClickstreamError } from "../../processors/errors.ts";
import { parseTraceHeader } from "../../processors/model/trace.ts";
import { serverUrl } from "./flags.ts";
import type { Output } from "./terminal.ts";
import { type Span, type Trace, traceStore } from "./traces/store.ts";
import { renderTrace } from "./traces/text.ts";

interface Flags {
  readonly url: string;
  readonly aws: boolean;
}

export function addTrace(program: Command, { print }: Output): void {
  program
    .command("trace <id>")
    .description("print where a click spent its time; the event feed and X-Amzn-Trace-Id tell the id")
    .option("--url <url>", "the server that counted it", "http://127.0.0.1:8080")
    .option(
      "--aws",
      "ask AWS X-Ray instead, in the region and with the credentials of the AWS_* variables",
      false,
    )
    .action(async (text: string, { url, aws }: Flags) => {
      const id = traceIdOf(text);
      print(renderTrace(aws ? await ofXray(id) : await ofServer(id, url)));
    });
}

/** An id, or the whole header that has one. Throws `config`. */
export function traceIdOf(text: string): string {
  const root = parseTraceHeader(text.includes("=") ? text : `Root=${text}`)?.root;
  if (root) return root;
  throw new ClickstreamError(
    "config",
    `"${text}" is no trace id, such as 1-67000000-000000000000000000000001`,
  );
}

/** As the server's page has it. Throws `not_found`, `config` for what is no address, or `unavailable` when no server answers there. */
export async function ofServer(id: string, url: string): Promise<Trace> {
  const asked = new URL(`/traces.json?id=${id}`, serverUrl(url));
  const response = await fetch(asked, { signal: AbortSignal.timeout(10_000) }).catch((cause: unknown) => {
    throw new ClickstreamError(
      "unavailable",
      `no Rivulet answers at ${url}: start it, or give --url or --aws`,
      {
        cause,
      },
    );
  });
  const isAnswered = response.headers.get("content-type")?.startsWith("application/json");
  if (response.status === 404 && !isAnswered)
    throw new ClickstreamError(
      "not_found",
      `${url} shows no traces: they tell of all sites, so there are none where readers need a key`,
    );
  if (response.status === 404)
    throw new ClickstreamError(
      "not_found",
      `${url} has no trace ${id}: the newest 200 are kept, until the next restart; one request in twenty is traced`,
    );
  if (!response.ok) throw new ClickstreamError("unavailable", `${asked} was answered ${response.status}`);
  type Told = Omit<Trace, "spans"> & {
    readonly spans: readonly (Omit<Span, "annotations"> & { readonly annotations: Record<string, string> })[];
  };
  const { spans, ...trace } = (await response.json()) as Told;
  return {
    ...trace,
    spans: spans.map((span) => ({ ...span, annotations: new Map(Object.entries(span.annotations)) })),
  };
}

/** Throws `not_found`, and what `traceDocuments` throws. `read` stands for it in tests. */
export async function ofXray(id: string, read?: (id: string) => Promise<readonly unknown[]>): Promise<Trace> {
  const { traceDocuments } = read ? { traceDocuments: read } : await import("../../processors/xray.ts");
  const store = traceStore({ maxTraces: 1, maxSpans: 500 });
  for (const document of await traceDocuments(id)) store.add(document);
  const trace = store.get(id);
  if (trace) return trace;
  throw new ClickstreamError(
    "not_found",
    `X-Ray has no trace ${id} in this region: one click in a hundred is traced, shown some seconds later, kept for 30 days`,
  );
}
