/** Requests to the query function in API Gateway's form, and the numbers in its answers. */
import type { Json } from "./synth.ts";

export const request = (httpMethod: string, path: string, over: Json = {}): Json => ({
  httpMethod,
  path,
  headers: {},
  queryStringParameters: null,
  body: null,
  isBase64Encoded: false,
  requestContext: { requestId: "r-1" },
  ...over,
});

export const ask = (body: object): Json => request("POST", "/api/v2/query", { body: JSON.stringify(body) });

/** Metrics of the first row. */
export const numbers = (answer: Json): number[] => JSON.parse(answer.body).results[0].metrics;
