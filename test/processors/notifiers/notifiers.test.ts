import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { text } from "node:stream/consumers";
import { SNSClient } from "@aws-sdk/client-sns";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Alert } from "../../../processors/notifiers/notifier.ts";
import { snsNotifier } from "../../../processors/notifiers/sns.ts";
import { webhookNotifier } from "../../../processors/notifiers/webhook.ts";
import { localClient } from "../../conformance/doubles.ts";
import { type Listening, listening } from "../../kit/listening.ts";

const alert: Alert = {
  id: "a-1",
  rule: "a",
  site: "쇼핑.example",
  kind: "spike",
  state: "firing",
  since: 1,
  at: 2,
  value: 3,
  expected: 1,
  text: "three",
  url: "https://stats.example/",
};

interface Taken {
  readonly headers: Record<string, unknown>;
  readonly body: string;
}
const opened: Listening[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

/** Until the test is over. */
async function served(server: Server): Promise<string> {
  const listener = await listening(server);
  opened.push(listener);
  return listener.origin;
}

async function receiver(
  answers: readonly [status: number, body: string][],
): Promise<{ url: string; taken: Taken[] }> {
  const taken: Taken[] = [];
  const server = createServer(async (request, response) => {
    taken.push({ headers: request.headers, body: await text(request) });
    const [status, body] = answers[taken.length - 1] ?? answers.at(-1)!;
    response.writeHead(status, { "Content-Type": "text/xml", Location: "/elsewhere" }).end(body);
  });
  return { url: await served(server), taken };
}

describe("the webhook", () => {
  it("gets the alert as JSON", async () => {
    const { url, taken } = await receiver([[204, ""]]);
    await webhookNotifier().notify(alert, { webhook: `${url}/hook/secret` });
    expect(JSON.parse(taken[0]!.body)).toEqual(alert);
  });

  it.each([
    [500, "unavailable"],
    [404, "unavailable"],
    [302, "unavailable"],
    [429, "throttled"],
  ])("that answers %i is told again later, and its secret is in no message", async (status, code) => {
    const { url, taken } = await receiver([[status, ""]]);
    const failed = await webhookNotifier()
      .notify(alert, { webhook: `${url}/hook/secret` })
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({ code });
    expect(taken, "and asked once").toHaveLength(1);
    expect(String(failed)).toContain(`answered ${status}`);
    expect(String(failed)).not.toContain("secret");
  });

  it("has answered with its status, whatever it goes on to say", async () => {
    let ended = false;
    const server = createServer((_, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!ended && response.write("x".repeat(65_536)));
      };
      response.on("drain", more).on("close", () => {
        ended = true;
      });
      more();
    });
    await webhookNotifier().notify(alert, { webhook: `${await served(server)}/` });
    await vi.waitFor(() => expect(ended).toBe(true), { timeout: 5_000, interval: 5 });
  });

  it("that does not answer is not waited for by a server that stops", async () => {
    const server = createServer(() => {});
    const webhook = `${await served(server)}/`;
    const stopping = new AbortController();
    const telling = webhookNotifier().notify(alert, { webhook, signal: stopping.signal });
    await once(server, "request");
    stopping.abort();
    await expect(telling).rejects.toMatchObject({ code: "unavailable" });
  }, 5_000);

  it("is nobody where a rule has none", async () => {
    await expect(webhookNotifier().notify(alert, {})).resolves.toBeUndefined();
  });
});

describe("the topic", () => {
  const published =
    '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>';
  const notifier = (url: string) =>
    snsNotifier({
      topic: "arn:aws:sns:us-east-1:1:alerts",
      client: new SNSClient({ ...localClient(url), maxAttempts: 1 }),
    });

  it("gets a subject that mail can carry, the sentence, the view, and what filters need", async () => {
    const { url, taken } = await receiver([[200, published]]);
    await notifier(url).notify(alert, {});
    const sent = new URLSearchParams(taken[0]!.body);
    expect(sent.get("Subject")).toBe("Rivulet: spike firing on ??.example");
    expect(sent.get("Message")).toContain("three\n\nhttps://stats.example/");
    expect([...sent.values()]).toEqual(expect.arrayContaining(["site", "kind", "state", alert.site]));
  });

  it("that refuses is an outage of ours to retry, or a setting to mend", async () => {
    const failure = (code: string) =>
      `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>no</Message></Error></ErrorResponse>`;
    const throttled = await receiver([[400, failure("Throttling")]]);
    await expect(notifier(throttled.url).notify(alert, {})).rejects.toMatchObject({ code: "throttled" });
    const down = await receiver([[503, ""]]);
    await expect(notifier(down.url).notify(alert, {})).rejects.toMatchObject({ code: "unavailable" });
  });
});
