/**
 * The HTTP API, whole, as one OpenAPI 3.0 document with API Gateway's extensions: CDK deploys it, the local gateway
 * serves it, readers learn the API from it. Knows names and ARNs only as texts (they may be CDK tokens).
 */
import {
  type ClientAddress,
  type IngestMapping,
  MAX_BODY_BYTES,
  noBodyTemplate,
  outageTemplate,
  putRecordTemplate,
  refusalTemplate,
} from "./mapping.ts";
import type {
  ApiDocument,
  CognitoScheme,
  GatewayResponse,
  Integration,
  IntegrationResponse,
  Operation,
  Parameter,
  ResponseObject,
  Schema,
} from "./openapi.ts";
import { schemas } from "./schemas.ts";

export interface ApiOptions {
  /** API Gateway takes it for the API's name, by which its metrics and traces are told apart. Default: what readers know it as. */
  readonly title?: string;
  /** aws, aws-cn... */
  readonly partition: string;
  readonly region: string;
  readonly streamName: string;
  /** Role that API Gateway takes to call kinesis:PutRecord on that stream. */
  readonly ingestRoleArn: string;
  /** The function that answers queries. */
  readonly queryFunctionArn: string;
  readonly clientAddress: ClientAddress;
  /** A second path for batches, under a name of the operator's choice: lists of ad blockers know the first. */
  readonly ingestPath?: string;
  /**
   * On /api/event, take the visitor's address from X-Forwarded-For, as servers send it that report for their visitors
   * (this protocol has no other place for it). Anybody can then choose an address, as anybody can choose an agent.
   * Default false: then all visitors that one server reports with one agent are one visitor.
   */
  readonly believeSenders?: boolean;
  /** Lets users of this pool sign in, with access tokens of this scope. Default: nobody signs in. */
  readonly signIn?: { readonly userPoolArn: string; readonly scope: string };
}

/** What becomes of a request at each ingest operation: what its request templates say, for who does not render them. */
export function ingestMappings(options: ApiOptions): Readonly<Record<string, IngestMapping>> {
  const { streamName, clientAddress } = options;
  const to = { streamName, clientAddress };
  const events: IngestMapping = { ...to, route: "/v1/events", siteKeys: ["s"], visitorKey: "v" };
  return {
    postEvents: events,
    ...(options.ingestPath === undefined ? {} : { postEventsAlias: events }),
    postPlausibleEvent: {
      ...to,
      route: "/api/event",
      siteKeys: ["d", "domain"],
      believeForwardedFor: options.believeSenders === true,
    },
    getPixel: { ...to, route: "/p.gif", siteKeys: ["s"], parameters: ["s", "u", "r"] },
  };
}

/** Builds the document. Pure: equal options give an equal document. */
export function apiDocument(options: ApiOptions): ApiDocument {
  const answered = (operation: Answered): Operation => ({
    ...operation,
    "x-amazon-apigateway-integration": queryFunction(options),
  });
  return {
    openapi: "3.0.1",
    info: {
      title: options.title ?? "Rivulet",
      version: "1",
      description:
        "Clickstream events in, exact counts out. Events are acknowledged only when they are durable in the stream; " +
        "a batch that is sent again with the same batch id is counted once.",
    },
    tags: [
      {
        name: "ingest",
        description: "For browsers and servers that report events. No credentials, any origin.",
      },
      {
        name: "query",
        description:
          "For dashboards and programs that read. `Authorization: Bearer KEY` where the operator asks for keys.",
      },
    ],
    paths: {
      "/v1/events": { post: postEvents(options), options: preflight("preflightEvents") },
      ...(options.ingestPath === undefined
        ? {}
        : {
            [options.ingestPath]: {
              post: { ...postEvents(options), operationId: "postEventsAlias" },
              options: preflight("preflightEventsAlias"),
            },
          }),
      "/api/event": { post: postPlausibleEvent(options), options: preflight("preflightPlausibleEvent") },
      "/p.gif": { get: getPixel(options) },
      "/api/v2/query": { post: answered(query) },
      "/api/v2/funnel": { post: answered(funnel) },
      "/api/v2/retention": { post: answered(retention) },
      "/api/v2/paths": { post: answered(paths) },
      "/api/v2/live": { get: answered(live) },
      "/api/v2/sites": { get: answered(sites) },
      "/api/v2/export.csv": { get: answered(exportCsv) },
      "/api/v2/site": { get: answered(aboutSite), put: answered(saveSettings) },
      "/api/v2/alerts": { get: answered(alerts) },
      "/api/v2/shares": { get: answered(shares), post: answered(addShare), delete: answered(removeShare) },
      ...(options.signIn
        ? { "/api/v2/session": { post: answered(signIn(options.signIn.scope)), delete: answered(signOut) } }
        : {}),
    },
    components: { schemas, ...(options.signIn ? { securitySchemes: userPool(options.signIn) } : {}) },
    "x-amazon-apigateway-request-validators": {
      body: { validateRequestBody: true, validateRequestParameters: false },
    },
    "x-amazon-apigateway-gateway-responses": gatewayResponses,
  };
}

// --- shared -------------------------------------------------------------------------------------------------------

const parameter = (name: string, description: string, required: boolean): Parameter => ({
  name,
  in: "query",
  required,
  description,
  schema: { type: "string" },
});

const share = parameter("share", "The token of a share link, instead of an Authorization header.", false);
const site = parameter("site_id", "A registered site.", true);

const jsonBody = (schema: string) => ({
  required: true,
  content: { "application/json": { schema: { $ref: `#/components/schemas/${schema}` } } },
});

/**
 * `*` and no credentials: events carry none, and a tracker must work from any site. sendBeacon always asks with
 * credentials, so it may not read the answer, but its events arrive; senders that want the answer use fetch with
 * `credentials: "omit"` (or "same-origin").
 */
const CORS = { "Access-Control-Allow-Origin": "*" } as const;

const retryAfter = { "Retry-After": { description: "Seconds", schema: { type: "string" } } } as const;
const corsHeader = { "Access-Control-Allow-Origin": { schema: { type: "string" } } } as const;

const problem = (description: string): ResponseObject => ({
  description,
  headers: corsHeader,
  content: { "application/json": { schema: { $ref: "#/components/schemas/Problem" } } },
});

const json = (description: string, schema: string): ResponseObject => ({
  description,
  content: { "application/json": { schema: { $ref: `#/components/schemas/${schema}` } } },
});

const stillRunning: ResponseObject = {
  ...json("The archive is still being read: send the same request again.", "StillRunning"),
  headers: retryAfter,
};

const readErrors: Record<string, ResponseObject> = {
  400: json("The message names the field that is wrong.", "QueryError"),
  401: json("A key is needed, or the one sent is not known.", "QueryError"),
  403: json("The key may not read this site.", "QueryError"),
  404: json("No such site.", "QueryError"),
  429: {
    ...json("Too many requests from one address or key.", "QueryError"),
    headers: retryAfter,
  },
  500: json("Our fault; the id finds the cause in the log.", "QueryError"),
  503: json("Try again after the seconds in Retry-After.", "QueryError"),
};

/** The same of what is asked with a body. */
const bodyErrors: Record<string, ResponseObject> = {
  ...readErrors,
  413: json("The body is larger than the server takes.", "QueryError"),
};

/** Constant response headers as an integration maps them: constants stand in single quotes. */
const mappedHeaders = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [`method.response.header.${name}`, `'${value}'`]),
  );

/** What API Gateway answers by itself. Without these the browser could not read an error, not even its status. */
const gatewayResponse = (statusCode?: number, headers: Record<string, string> = {}): GatewayResponse => ({
  ...(statusCode === undefined ? {} : { statusCode }),
  responseParameters: Object.fromEntries(
    Object.entries({ ...CORS, ...headers }).map(([name, value]) => [
      `gatewayresponse.header.${name}`,
      `'${value}'`,
    ]),
  ),
  responseTemplates: { "application/json": `{"message":$context.error.messageString}` },
});

const gatewayResponses = {
  DEFAULT_4XX: gatewayResponse(),
  DEFAULT_5XX: gatewayResponse(),
  // API Gateway's name for an unknown path; no route of ours is signed, so it can mean nothing else.
  MISSING_AUTHENTICATION_TOKEN: gatewayResponse(404),
  THROTTLED: gatewayResponse(429, { "Retry-After": "1" }),
};

// --- ingest -------------------------------------------------------------------------------------------------------

function postEvents(options: ApiOptions): Operation {
  return ingest(options, {
    operationId: "postEvents",
    summary: "Report a batch of events",
    schema: "Batch",
    success: { status: "204", description: "The batch is durable in the stream.", body: "" },
  });
}

function postPlausibleEvent(options: ApiOptions): Operation {
  return ingest(options, {
    operationId: "postPlausibleEvent",
    summary: "Report one event in the form of the Plausible Events API",
    schema: "PlausibleEvent",
    // Trackers and server libraries made for this protocol check for 202 and "ok".
    success: { status: "202", description: "The event is durable in the stream.", body: "ok" },
  });
}

/** 43 bytes: one transparent point. */
const PIXEL = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

/** For pages without scripts: an image that counts the page view. */
function getPixel(options: ApiOptions): Operation {
  return {
    operationId: "getPixel",
    summary: "Report a page view by loading an image",
    description: "For browsers without scripts, and for mail. Each request is one page view.",
    tags: ["ingest"],
    parameters: [
      parameter("s", "Site id, as registered.", true),
      parameter("u", "URL of the page. Default: the header Referer, which names the page.", false),
      parameter("r", "Where the visitor came from, if the page's server knows.", false),
    ],
    responses: {
      200: {
        description: "The page view is durable in the stream.",
        headers: { ...corsHeader, "Cache-Control": { schema: { type: "string" } } },
        content: { "image/gif": { schema: { type: "string" } } },
      },
      429: problem("Too many requests from one sender."),
      500: problem("The stream cannot be written to."),
      503: problem("The stream is at its limit or not available."),
    },
    "x-amazon-apigateway-integration": putRecord(
      options,
      { "application/json": putRecordTemplate(ingestMappings(options).getPixel!) },
      {
        statusCode: "200",
        responseParameters: mappedHeaders({
          ...CORS,
          "Cache-Control": "no-store",
          "Content-Type": "image/gif",
        }),
        responseTemplates: { "application/json": PIXEL },
        contentHandling: "CONVERT_TO_BINARY",
      },
    ),
  };
}

interface IngestRoute {
  readonly operationId: string;
  readonly summary: string;
  readonly schema: string;
  readonly success: { readonly status: string; readonly description: string; readonly body: string };
}

function ingest(options: ApiOptions, route: IngestRoute): Operation {
  const template = putRecordTemplate(ingestMappings(options)[route.operationId]!);
  const schema: Schema = { $ref: `#/components/schemas/${route.schema}` };
  const { status, description, body } = route.success;
  return {
    operationId: route.operationId,
    summary: route.summary,
    description:
      "The body is JSON in UTF-8, uncompressed. Send it as `text/plain` from a browser: that needs no preflight request. " +
      "Answers of 429 and 5xx mean that the batch was not stored for sure: send the same bytes again later.",
    tags: ["ingest"],
    requestBody: {
      required: true,
      content: {
        "application/json": { schema },
        // Whether API Gateway reads text as JSON before it applies a model is not documented, and a wrong guess would
        // refuse every browser: so no constraint here. The pipeline checks each batch anyway.
        "text/plain": { schema: { $ref: "#/components/schemas/TextBody" } },
        "text/plain;charset=UTF-8": { schema: { $ref: "#/components/schemas/TextBody" } },
      },
    },
    responses: {
      [status]: {
        description,
        headers: corsHeader,
        ...(body === "" ? {} : { content: { "text/plain": { schema: { type: "string", example: body } } } }),
      },
      400: problem("The body is not JSON or lacks a required field. Do not send it again."),
      413: problem(`The body is larger than ${MAX_BODY_BYTES} bytes. Send smaller batches.`),
      415: problem("The content type is neither application/json nor text/plain, or the body is compressed."),
      429: problem("Too many requests from one sender. Send it again later."),
      500: problem("The stream cannot be written to. Send it again later."),
      503: {
        ...problem(
          "The stream is at its limit or not available. Send it again after the seconds in Retry-After.",
        ),
        headers: { ...corsHeader, ...retryAfter },
      },
    },
    "x-amazon-apigateway-request-validator": "body",
    "x-amazon-apigateway-integration": putRecord(
      options,
      {
        "application/json": template,
        "text/plain": template,
        // What fetch() and sendBeacon() make of a string; API Gateway compares content types exactly.
        "text/plain;charset=UTF-8": template,
        "text/plain; charset=utf-8": template,
        "application/json;charset=UTF-8": template,
        "application/json; charset=utf-8": template,
      },
      {
        statusCode: status,
        responseParameters: {
          ...mappedHeaders(CORS),
          ...(body === "" ? {} : mappedHeaders({ "Content-Type": "text/plain; charset=utf-8" })),
        },
        responseTemplates: { "application/json": body === "" ? noBodyTemplate : body },
      },
      { "Retry-After": "2" },
    ),
  };
}

/**
 * Puts what the request template of a content type renders into the stream. `stored` is the answer when it is there, `away`
 * are headers besides where Kinesis cannot be reached.
 */
const putRecord = (
  { partition, region, ingestRoleArn }: ApiOptions,
  requestTemplates: Readonly<Record<string, string>>,
  stored: IntegrationResponse,
  away: Readonly<Record<string, string>> = {},
): Integration => ({
  type: "aws",
  httpMethod: "POST",
  uri: `arn:${partition}:apigateway:${region}:kinesis:action/PutRecord`,
  credentials: ingestRoleArn,
  passthroughBehavior: "never",
  requestParameters: { "integration.request.header.Content-Type": "'application/x-amz-json-1.1'" },
  requestTemplates,
  responses: {
    "2\\d{2}": stored,
    "4\\d{2}": {
      statusCode: "503",
      responseParameters: mappedHeaders(CORS),
      responseTemplates: { "application/json": refusalTemplate },
    },
    default: {
      statusCode: "503",
      responseParameters: mappedHeaders({ ...CORS, ...away }),
      responseTemplates: { "application/json": outageTemplate },
    },
  },
});

/** The answer to a browser that asks before it sends application/json from another origin. */
function preflight(operationId: string): Operation {
  const headers = {
    ...CORS,
    "Access-Control-Allow-Methods": "POST,OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type,X-Amzn-Trace-Id",
    // Two hours is the longest that Chromium keeps a preflight answer.
    "Access-Control-Max-Age": "7200",
  };
  const declared = Object.fromEntries(
    Object.keys(headers).map((name) => [name, { schema: { type: "string" } as Schema }]),
  );
  return {
    operationId,
    summary: "Cross-origin preflight",
    tags: ["ingest"],
    responses: { 204: { description: "Any origin may post.", headers: declared } },
    "x-amazon-apigateway-integration": {
      type: "mock",
      passthroughBehavior: "never",
      requestTemplates: { "application/json": `{"statusCode": 204}` },
      responses: {
        default: {
          statusCode: "204",
          responseParameters: mappedHeaders(headers),
          responseTemplates: { "application/json": noBodyTemplate },
        },
      },
    },
  };
}

// --- query --------------------------------------------------------------------------------------------------------

/** An operation that the query function answers. Where that is, the deployment knows. */
type Answered = Omit<Operation, "x-amazon-apigateway-integration">;

/** How API Gateway asks the function that answers queries. */
const queryFunction = ({ partition, region, queryFunctionArn }: ApiOptions): Integration => ({
  type: "aws_proxy",
  httpMethod: "POST",
  uri: `arn:${partition}:apigateway:${region}:lambda:path/2015-03-31/functions/${queryFunctionArn}/invocations`,
  // A proxy integration has no templates, so there is nothing that could fail to match.
  passthroughBehavior: "when_no_match",
});

const query: Answered = {
  operationId: "query",
  summary: "Ask for metrics, by dimensions, over a range of dates",
  description:
    "Speaks the Plausible Stats API v2. Days are the site's own; `meta` tells how final and how exact.",
  tags: ["query"],
  parameters: [share],
  requestBody: jsonBody("Query"),
  responses: {
    200: json("One row per combination of dimension values.", "QueryResult"),
    202: stillRunning,
    ...bodyErrors,
  },
};

/** A question that only single events answer. */
const exploration = (
  named: Pick<Operation, "operationId" | "summary" | "description">,
  asks: string,
  answers: string,
): Answered => ({
  ...named,
  tags: ["query"],
  parameters: [share],
  requestBody: jsonBody(asks),
  responses: { 200: json("From the archive of single events.", answers), 202: stillRunning, ...bodyErrors },
});

const funnel = exploration(
  {
    operationId: "funnel",
    summary: "How many visitors took some steps one after the other",
    description: "Steps are pages, a star for any characters, or goals; within one visit, or within one day.",
  },
  "FunnelQuestion",
  "FunnelResult",
);
const retention = exploration(
  {
    operationId: "retention",
    summary: "How many of those who first came in an interval came again later",
    description: "Needs visitor ids of the site's own: cookieless visitors are new each day.",
  },
  "RetentionQuestion",
  "RetentionResult",
);
const paths = exploration(
  {
    operationId: "paths",
    summary: "Which pages follow one another within visits",
    description:
      "From a page, or from the first page of each visit. The most frequent pages of each step are told apart.",
  },
  "PathsQuestion",
  "PathsResult",
);

const live: Answered = {
  operationId: "live",
  summary: "Who is on the site now",
  description:
    "Cheap to ask every second: send the ETag back as If-None-Match, and 304 says that nothing moved.",
  tags: ["query"],
  parameters: [site, share],
  responses: {
    200: json("Current visitors, the last 30 minutes and the latest events.", "Live"),
    304: { description: "Nothing changed since the ETag that was sent." },
    ...readErrors,
  },
};

const sites: Answered = {
  operationId: "sites",
  summary: "The registered sites",
  tags: ["query"],
  parameters: [share],
  responses: { 200: json("Every site that the caller may read.", "Sites"), ...readErrors },
};

const exportCsv: Answered = {
  operationId: "exportCsv",
  summary: "The rows of a query as CSV",
  description:
    "The same questions as `query`, in the address. RFC 4180, UTF-8, all rows; a series over time alone has a row for " +
    "every bucket. A text that a spreadsheet would run as a formula begins with an apostrophe.",
  tags: ["query"],
  parameters: [
    site,
    parameter("date_range", "A name, or two dates or times with a comma between them.", true),
    parameter("metrics", "Names with commas between them.", true),
    parameter("dimensions", "Names with commas between them, or a JSON array.", false),
    parameter("filters", "As in a query, JSON.", false),
    parameter("order_by", "As in a query, JSON.", false),
    share,
  ],
  responses: {
    200: {
      description: "A header, then a line for each row: dimensions, then metrics.",
      headers: { "Content-Disposition": { description: "A file name.", schema: { type: "string" } } },
      content: { "text/csv": { schema: { type: "string" } } },
    },
    202: stillRunning,
    ...readErrors,
  },
};

// --- what an owner defines ----------------------------------------------------------------------------------------

const aboutSite: Answered = {
  operationId: "aboutSite",
  summary: "Goals, funnels, property keys and what was refused lately",
  tags: ["query"],
  parameters: [site, share],
  responses: { 200: json("What is known of a site besides its numbers.", "AboutSite"), ...readErrors },
};

const writeNote = "Needs a key that may write, or on one's own machine nothing; a share link never serves.";

const saveSettings: Answered = {
  operationId: "saveSettings",
  summary: "Define a site's goals and funnels",
  description: `Replaces all of them. ${writeNote}`,
  tags: ["query"],
  requestBody: jsonBody("SiteSettings"),
  responses: { 200: json("As saved.", "AboutSite"), ...bodyErrors },
};

const alerts: Answered = {
  operationId: "alerts",
  summary: "What a site's rules found lately",
  tags: ["query"],
  parameters: [site, share],
  responses: { 200: json("Of the last 30 days, newest first.", "Alerts"), ...readErrors },
};

const shares: Answered = {
  operationId: "shares",
  summary: "The share links that work",
  description: writeNote,
  tags: ["query"],
  parameters: [site],
  responses: { 200: json("Without their secrets.", "Shares"), ...readErrors },
};

const addShare: Answered = {
  operationId: "addShare",
  summary: "Make a share link",
  description: `Its token is in this answer and nowhere else. ${writeNote}`,
  tags: ["query"],
  requestBody: jsonBody("NewShare"),
  responses: { 200: json("The link.", "MadeShare"), ...bodyErrors },
};

const removeShare: Answered = {
  operationId: "removeShare",
  summary: "Take a share link back",
  description: `It stops working within five seconds. ${writeNote}`,
  tags: ["query"],
  parameters: [site, parameter("id", "Of the link.", true)],
  responses: { 200: json("Nothing.", "Nothing"), ...readErrors },
};

const USERS = "users";

const userPool = ({ userPoolArn }: { readonly userPoolArn: string }): Record<string, CognitoScheme> => ({
  [USERS]: {
    type: "apiKey",
    name: "Authorization",
    in: "header",
    "x-amazon-apigateway-authtype": "cognito_user_pools",
    "x-amazon-apigateway-authorizer": { type: "cognito_user_pools", providerARNs: [userPoolArn] },
  },
});

const cookie = { "Set-Cookie": { schema: { type: "string" } } } as const;

const signIn = (scope: string): Answered => ({
  operationId: "signIn",
  summary: "Begin a session",
  description: "With a user's access token in Authorization, as the user pool issued it.",
  tags: ["query"],
  responses: { 204: { description: "The session is in a cookie.", headers: cookie }, ...readErrors },
  security: [{ [USERS]: [scope] }],
});

const signOut: Answered = {
  operationId: "signOut",
  summary: "End the session",
  tags: ["query"],
  responses: { 204: { description: "The cookie is gone.", headers: cookie }, ...readErrors },
};
