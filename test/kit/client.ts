/** A small HTTP client with connections of its own: posts batches over a fixed number of them, asks queries, reads metrics. */
import { Agent, request } from "node:http";

export interface Post {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** A batch as a browser sends it. */
export const batchPost = (batch: object): Post => ({
  path: "/v1/events",
  headers: {
    "Content-Type": "text/plain",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
  },
  body: JSON.stringify(batch),
});

/** The status of one POST over `agent`. Rejects when the connection breaks before there is one. */
export function post(agent: Agent, url: string, { path, headers, body }: Post): Promise<number> {
  return new Promise((resolve, reject) => {
    const sending = request(
      new URL(path, url),
      { agent, method: "POST", headers: { ...headers } },
      (answer) => {
        answer.resume();
        answer.on("end", () => resolve(answer.statusCode ?? 0)).on("error", reject);
      },
    );
    sending.on("error", reject);
    sending.end(body);
  });
}

/**
 * Posts each lane's requests one after the other on a connection of its own, all lanes at once. `answered` sees every
 * status, or 0 for a connection that broke; a lane ends at the first that breaks.
 */
export async function postLanes<T extends Post>(
  url: string,
  lanes: readonly (readonly T[])[],
  answered: (sent: T, status: number) => void,
): Promise<void> {
  await Promise.all(
    lanes.map(async (lane) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      try {
        for (const item of lane) {
          const status = await post(agent, url, item).catch(() => 0);
          answered(item, status);
          if (status === 0) return;
        }
      } finally {
        agent.destroy();
      }
    }),
  );
}

export interface Answer {
  readonly results: { metrics: unknown[]; dimensions: string[] }[];
  readonly meta: { complete_until: number; lag_ms: number; error: Record<string, number>; source: string };
}

/** A Stats API query; asked again while the archive is still being read. Throws with the server's words when it refuses. */
export async function query(url: string, body: Record<string, unknown>): Promise<Answer> {
  const response = await fetch(new URL("/api/v2/query", url), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (response.status === 202) return query(url, body);
  if (!response.ok) throw new Error(`${response.status} ${text} for ${JSON.stringify(body)}`);
  return JSON.parse(text) as Answer;
}

/** Samples of /metrics by name, labels included as written: `rivulet_rejects_total{reason="bot"}`. */
export async function metrics(url: string): Promise<Map<string, number>> {
  const text = await (await fetch(new URL("/metrics", url))).text();
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [, name, value] = /^([^#\s]\S*) (\S+)$/.exec(line) ?? [];
    if (name && value) samples.set(name, Number(value));
  }
  return samples;
}
