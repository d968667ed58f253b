/** What the gateway answers by itself, in the words and headers that the API document gives: errors and mocks. */
import type { ApiDocument, GatewayResponse, Operation } from "../../openapi.ts";
import type { Handler, HttpResponse } from "./http.ts";

export interface GatewayAnswers {
  /** An error of the gateway's own making. `message` names the problem and never quotes the request. */
  answer(status: number, message: string, headers?: Readonly<Record<string, string>>): HttpResponse;
  /** The fixed answer of a mock integration. */
  mock(operation: Operation): Handler;
}

/** API Gateway's name for the cases that the document treats apart; every other status has its class's default. */
const TYPES: Readonly<Record<number, string>> = { 404: "MISSING_AUTHENTICATION_TOKEN", 429: "THROTTLED" };

/** Reads the document's gateway responses. */
export function gatewayAnswers(document: ApiDocument): GatewayAnswers {
  const responses = document["x-amazon-apigateway-gateway-responses"];
  const chosen = (status: number): GatewayResponse | undefined =>
    responses[TYPES[status] ?? ""] ?? responses[status < 500 ? "DEFAULT_4XX" : "DEFAULT_5XX"];
  return {
    answer(status, message, headers) {
      const found = chosen(status);
      const template = found?.responseTemplates["application/json"] ?? "{}";
      return {
        status,
        headers: {
          "Content-Type": "application/json",
          ...constants(found?.responseParameters ?? {}, "gatewayresponse.header."),
          ...headers,
        },
        body: template.replaceAll("$context.error.messageString", () => JSON.stringify(message)),
      };
    },
    mock(operation) {
      const response = operation["x-amazon-apigateway-integration"].responses?.default;
      const fixed: HttpResponse = {
        status: Number(response?.statusCode ?? 200),
        headers: constants(response?.responseParameters ?? {}, "method.response.header."),
        body: "",
      };
      return () => fixed;
    },
  };
}

/** Header constants stand in single quotes behind a prefix. */
export function constants(
  parameters: Readonly<Record<string, string>>,
  prefix: string,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name.slice(prefix.length), value.slice(1, -1)]),
  );
}
