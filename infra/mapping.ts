/**
 * The mapping templates (VTL) of the ingest routes: a posted batch becomes one Kinesis PutRecord, its answer ours.
 * API Gateway and the local gateway render these same texts, so they use only what both understand:
 * single-quoted regular expressions, `$!` for what may be absent, and base64 instead of any escaping.
 */

/** Same number as LIMITS.bodyBytes; infra may not import the processors' code, a test holds the two together. */
export const MAX_BODY_BYTES = 262_144;

/** How the client's own address is found. */
export type ClientAddress =
  /** The peer of the connection is the client (or the gateway itself knows better). Country headers are not believed. */
  | { readonly from: "connection" }
  /**
   * Requests come through CloudFront, whose edge is then the peer: the address and country it attests are believed.
   * Somebody who calls the API's own host name could forge both headers; `proof`, a secret header that the
   * distribution adds, closes that door: without it the connection's address counts and the country is unknown.
   * Its value stands between single quotes in a template: no quotes in it.
   */
  | { readonly from: "cloudfront"; readonly proof?: { readonly header: string; readonly value: string } };

export interface IngestMapping {
  /** The path that was asked for; travels in the envelope and picks the decoder. */
  readonly route: string;
  /** Keys of the body that may hold the site, in order of preference. */
  readonly siteKeys: readonly string[];
  /**
   * The request has no body: these parameters of its query string, and the header Referer as `page`, are put into one,
   * a JSON object of base64 texts (`{"s64":"...","page64":"..."}`). The site is then the parameter `siteKeys` names.
   */
  readonly parameters?: readonly string[];
  /** Key of the body that holds the visitor id, if the protocol has one. */
  readonly visitorKey?: string;
  readonly streamName: string;
  readonly clientAddress: ClientAddress;
  /** Take the first entry of X-Forwarded-For as the client's address: servers name their visitors there. */
  readonly believeForwardedFor?: boolean;
}

/** Base64 of exactly MAX_BODY_BYTES; one byte more has the same length but less padding. */
const MAX_BODY_BASE64 = 4 * Math.ceil(MAX_BODY_BYTES / 3);
const FULL_PADDING = "=".repeat((3 - (MAX_BODY_BYTES % 3)) % 3);

/** The ids of visitors are opaque to us; longer ones are no ids (LIMITS.idChars). */
export const MAX_VISITOR_CHARS = 128;
export const MAX_SITE_CHARS = 64;
/** Kinesis' limit for a partition key. */
export const MAX_KEY_CHARS = 256;

/**
 * Renders the PutRecord request. The record's data is the envelope of processors/model/envelope.ts as JSON.
 * The partition key holds the site and the visitor, so one visitor of a site stays on one shard, in order: the visitor
 * id when there is one, else address and agent, without the characters that JSON would have to escape.
 * A body over the limit renders an empty key, which Kinesis refuses with a ValidationException (a request template
 * cannot answer by itself); `refusal` turns that into 413.
 */
export function putRecordTemplate(mapping: IngestMapping): string {
  const field = (name: string, value: string): string => `\${q}${name}\${q}:\${q}${value}\${q}`;
  const envelope = [
    field("route", mapping.route),
    field("id", "$context.extendedRequestId"),
    `\${q}at\${q}:$context.requestTimeEpoch`,
    field("ip", "$ip"),
    field("ua64", "$util.base64Encode($agent)"),
    field("country", "$country"),
    field("trace64", "$util.base64Encode($trace)"),
    field("origin64", "$util.base64Encode($origin)"),
    field("body64", "$body64"),
  ].join(",");
  return [
    `#set($q = '"')`,
    ...bodyLines(mapping, field),
    `#set($agent = "$!context.identity.userAgent")`,
    // API Gateway adds this one itself; params() is the form that published templates use for it.
    `#set($trace = "$!input.params('X-Amzn-Trace-Id')")`,
    ...readHeader("origin", "Origin"),
    ...addressLines(mapping.clientAddress),
    ...(mapping.believeForwardedFor === true ? forwardedLines : []),
    ...keyLines(mapping),
    `#set($envelope = "{${envelope}}")`,
    `#if($body64.length() > ${MAX_BODY_BASE64} || ($body64.length() == ${MAX_BODY_BASE64} && !$body64.endsWith('${FULL_PADDING}')))`,
    `#set($key = "")`,
    `#set($envelope = "{}")`,
    "#end",
    `{"StreamName":"${mapping.streamName}","PartitionKey":"$key","Data":"$util.base64Encode($envelope)"}`,
  ].join("\n");
}

function bodyLines(
  { parameters }: IngestMapping,
  field: (name: string, value: string) => string,
): readonly string[] {
  if (parameters === undefined) return ["#set($body64 = $util.base64Encode($input.body))"];
  const names = [...parameters, "page"];
  return [
    ...parameters.map((name) => `#set($${name} = "$!input.params().querystring.get('${name}')")`),
    ...readHeader("page", "Referer"),
    `#set($body64 = $util.base64Encode("{${names.map((name) => field(`${name}64`, `$util.base64Encode($${name})`)).join(",")}}"))`,
  ];
}

/**
 * Sets a variable to a header, "" when absent. Template look-ups compare names exactly, while HTTP/1.1 senders write
 * them one way and HTTP/2 another, so both are tried. Never `$input.params(name)`: that looks into the query string
 * first, which anybody can write into any link.
 */
function readHeader(variable: string, name: string): string[] {
  const canonical = name.toLowerCase().replace(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase());
  const spellings = [...new Set([name, canonical, name.toLowerCase()])];
  return spellings.flatMap((spelling, index) => {
    const read = `#set($${variable} = "$!input.params().header.get('${spelling}')")`;
    return index === 0 ? [read] : [`#if($${variable} == "")`, read, "#end"];
  });
}

function addressLines(from: ClientAddress): string[] {
  const connection = [`#set($ip = "$!context.identity.sourceIp")`, `#set($country = "")`];
  if (from.from === "connection") return connection;
  // X-Forwarded-For is not used here: what a client puts into it comes first in the list.
  const believe = [
    ...readHeader("viewer", "CloudFront-Viewer-Address"),
    `#if($viewer.contains(':'))`,
    // address:port, also for IPv6 (which CloudFront writes without brackets).
    `#set($ip = $viewer.substring(0, $viewer.lastIndexOf(':')))`,
    "#set($ip = $ip.replaceAll('[^0-9A-Fa-f.:]', ''))",
    "#end",
    ...readHeader("country", "CloudFront-Viewer-Country"),
    "#set($country = $country.replaceAll('[^A-Za-z0-9]', ''))",
  ];
  if (from.proof === undefined) return [...connection, ...believe];
  return [
    ...connection,
    ...readHeader("proof", from.proof.header),
    `#if($proof == '${from.proof.value}')`,
    ...believe,
    "#end",
  ];
}

/** Every proxy appends, API Gateway included, so the first entry is the visitor: as named by the sender, or the sender. */
const forwardedLines = [
  ...readHeader("named", "X-Forwarded-For"),
  "#if($named.contains(','))",
  "#set($named = $named.substring(0, $named.indexOf(',')))",
  "#end",
  "#set($named = $named.replaceAll('[^0-9A-Fa-f.:]', ''))",
  `#if($named != "" && $named.length() <= ${"0000:0000:0000:0000:0000:ffff:255.255.255.255".length})`,
  "#set($ip = $named)",
  "#end",
];

function keyLines({ siteKeys, visitorKey, parameters }: IngestMapping): string[] {
  const lines = siteKeys.flatMap((key, index) => {
    const read = parameters ? `#set($site = $${key})` : `#set($site = "$!input.path('$.${key}')")`;
    return index === 0 ? [read] : [`#if($site == "")`, read, "#end"];
  });
  lines.push(
    "#set($site = $site.replaceAll('[^A-Za-z0-9.-]', ''))",
    `#if($site.length() > ${MAX_SITE_CHARS})`,
    `#set($site = $site.substring(0, ${MAX_SITE_CHARS}))`,
    "#end",
    "#set($who = $agent.replaceAll('[^A-Za-z0-9.]', ''))",
    `#set($key = "a:$site:$ip:$who")`,
  );
  if (visitorKey !== undefined) {
    lines.push(
      `#set($visitor = "$!input.path('$.${visitorKey}')")`,
      `#if($visitor != "" && $visitor.length() <= ${MAX_VISITOR_CHARS})`,
      "#set($who = $util.base64Encode($visitor))",
      `#set($key = "v:$site:$who")`,
      "#end",
    );
  }
  lines.push(
    `#if($key.length() > ${MAX_KEY_CHARS})`,
    `#set($key = $key.substring(0, ${MAX_KEY_CHARS}))`,
    "#end",
  );
  return lines;
}

/** Answers without a body still need a template: without one API Gateway passes Kinesis' own answer through. */
export const noBodyTemplate = "#set($done = true)";

/**
 * The answer to Kinesis' 4xx, which is all of: throttling (400!), a record that is too large, and our own mistakes.
 * The route's status is 503; what no repetition mends becomes 413, and a missing stream or right 500, so that the
 * sender keeps the batch and tries again while the operator is alarmed. Kinesis' text is never passed on: it names
 * the account and the shard.
 */
export const refusalTemplate = [
  `#set($type = "$!input.path('$.__type')")`,
  `#set($reason = "$!input.path('$.message')")`,
  "#if($type.contains('Throughput') || $type.contains('Throttl') || $type.contains('LimitExceeded'))",
  "#set($context.responseOverride.header.Retry-After = '1')",
  `{"message":"The stream is at its limit; try again."}`,
  "#elseif($type.contains('ValidationException') && !$reason.contains('streamName'))",
  "#set($context.responseOverride.status = 413)",
  `{"message":"The body is larger than ${MAX_BODY_BYTES} bytes."}`,
  "#else",
  "#set($context.responseOverride.status = 500)",
  `{"message":"The batch could not be stored; try again later."}`,
  "#end",
].join("\n");

/** The answer when Kinesis itself fails or says something unexpected. */
export const outageTemplate = `{"message":"The stream is not available; try again."}`;
