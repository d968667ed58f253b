/** The rules of who may import whom, as tables. Knows nothing of how they are checked. */

/** What the files of one part may import. The first zone whose `files` match owns a file. */
export interface Zone {
  readonly name: string;
  readonly files: RegExp;
  /** Repository paths. */
  readonly local: RegExp;
  /** Package names without subpath; `node:` modules as `node:`. */
  readonly packages: RegExp;
  /** Repository paths of which types alone may be imported. */
  readonly localTypes?: RegExp;
  readonly packageTypes?: RegExp;
  /** No clock, randomness, environment or timer: all of them come as arguments. */
  readonly isPure?: true;
}

const NOTHING = /^(?!)/;

/** The interfaces that drivers fulfil and the pipeline asks for. */
const PORT = String.raw`processors/(streams/stream|stores/store|archives/archive|archives/objects|explorers/explorer|imports/rawfile|notifiers/notifier|tracer)\.ts$`;
const INNER = String.raw`processors/(sketches|model)/|processors/errors\.ts$`;

/** The code map of docs/architecture.md, file by file; the reasons are there. */
export const ZONES: readonly Zone[] = [
  {
    name: "sketches",
    files: /^processors\/sketches\//,
    local: /^processors\/sketches\//,
    packages: NOTHING,
    isPure: true,
  },
  {
    name: "model",
    files: /^processors\/model\//,
    local: /^processors\/(sketches|model)\//,
    packages: NOTHING,
    isPure: true,
  },
  { name: "errors", files: /^processors\/errors\.ts$/, local: NOTHING, packages: NOTHING, isPure: true },
  {
    name: "ports",
    files: new RegExp(`^${PORT}`),
    local: new RegExp(`^(${INNER})`),
    packages: NOTHING,
    isPure: true,
  },
  {
    name: "import",
    files: /^processors\/pipeline\/import\//,
    local: new RegExp(`^(processors/pipeline/|${INNER}|${PORT})`),
    packages: /^(csv-parse|hyparquet|hyparquet-compressors)$/, // read files' forms: bytes in, rows out
    isPure: true,
  },
  {
    name: "pipeline",
    files: /^processors\/pipeline\//,
    local: new RegExp(`^(processors/pipeline/|${INNER}|${PORT})`),
    packages: /^(bowser|isbot|re2js)$/, // read a user agent, or hold a pattern against a text: text in, text out
    isPure: true,
  },
  {
    name: "environment",
    files: /^processors\/env\.ts$/,
    local: new RegExp(`^(${INNER})`),
    packages: NOTHING,
  },
  {
    name: "AWS client settings",
    files: /^processors\/aws\.ts$/,
    local: new RegExp(`^(${INNER})`),
    packages: /^(node:|@smithy\/node-http-handler$)/,
  },
  {
    name: "tracing driver",
    files: /^processors\/(tracing|segments|capture)\.ts$/,
    local: new RegExp(String.raw`^(processors/(tracing|segments)\.ts$|${INNER}|${PORT})`),
    localTypes: /^processors\/aws\.ts$/,
    packages: /^aws-xray-sdk-core($|\/dist\/lib\/)/,
  },
  {
    name: "X-Ray API",
    files: /^processors\/xray\.ts$/,
    local: new RegExp(String.raw`^(processors/aws\.ts$|${INNER})`),
    packages: /^@aws-sdk\/client-xray$/,
  },
  {
    name: "metering driver",
    files: /^processors\/metering\.ts$/,
    local: new RegExp(String.raw`^(processors/aws\.ts$|${INNER})`),
    localTypes: /^processors\/env\.ts$/,
    packages: /^@aws-sdk\/client-cloudwatch$/,
  },
  {
    name: "stream drivers",
    files: /^processors\/streams\//,
    local: new RegExp(String.raw`^(processors/streams/|processors/(sqlite|aws)\.ts$|${INNER})`),
    packages: /^(node:|@aws-sdk\/client-kinesis$|@smithy\/node-http-handler$)/,
  },
  {
    name: "store drivers",
    files: /^processors\/stores\//,
    local: new RegExp(
      String.raw`^(processors/stores/|processors/(sqlite|aws)\.ts$|processors/streams/stream\.ts$|${INNER})`,
    ),
    packages: /^(node:|@aws-sdk\/(client|lib|util)-dynamodb$|@smithy\/node-http-handler$)/,
  },
  {
    name: "explorer drivers",
    files: /^processors\/explorers\//,
    local: new RegExp(String.raw`^(processors/explorers/|processors/aws\.ts$|${INNER})`),
    packages: /^(node:|@duckdb\/node-api$|@aws-sdk\/client-athena$|@smithy\/node-http-handler$)/,
  },
  {
    name: "archive drivers",
    files: /^processors\/archives\//,
    local: new RegExp(String.raw`^(processors/archives/|processors/(aws|filelock)\.ts$|${INNER})`),
    packages:
      /^(node:|hyparquet(-writer)?$|@duckdb\/node-api$|@aws-sdk\/client-(s3|firehose|athena)$|@smithy\/node-http-handler$)/,
  },
  {
    name: "drivers of imported files",
    files: /^processors\/imports\//,
    local: new RegExp(String.raw`^(processors/imports/|processors/aws\.ts$|${INNER})`),
    localTypes: /^processors\/pipeline\/import\//, // what the importer asks for
    packages: /^(node:|fflate$|@aws-sdk\/client-(s3|sns)$|@smithy\/node-http-handler$)/,
  },
  {
    name: "notifier drivers",
    files: /^processors\/notifiers\//,
    local: new RegExp(String.raw`^(processors/notifiers/|processors/aws\.ts$|${INNER})`),
    packages: /^@aws-sdk\/client-sns$/,
  },
  {
    name: "Lambda drivers",
    files: /^processors\/(eventsource|invocation)\.ts$/,
    local: new RegExp(String.raw`^(processors/aws\.ts$|${INNER})`),
    packages: /^@aws-sdk\/client-lambda$/,
  },
  {
    name: "Step Functions driver",
    files: /^processors\/execution\.ts$/,
    local: new RegExp(String.raw`^(processors/aws\.ts$|${INNER})`),
    packages: /^(node:|@aws-sdk\/client-sfn$)/,
  },
  {
    name: "country driver",
    files: /^processors\/geo\//,
    local: new RegExp(`^(processors/geo/|${INNER})`),
    packages: /^(node:|mmdb-lib$|@ip-location-db\/)/,
  },
  {
    name: "handlers",
    files: /^processors\/handlers\//,
    local: /^processors\//,
    packages: /^(node:|@smithy\/node-http-handler$)/,
    packageTypes: /^aws-lambda$/,
  },
  {
    name: "other drivers",
    files: /^processors\/[^/]+\.ts$/,
    local: new RegExp(`^(${INNER}|${PORT})`),
    localTypes: /^processors\/pipeline\//, // the shape of the function that the pipeline asks for
    packages: /^node:/,
  },
  {
    name: "builds",
    files: /^(collector\/build|dashboard\/(build|world|login\/build))\.ts$/,
    local: /^dashboard\/(world|i18n\/[a-z]+)\.ts$/, // the texts are data to them
    packages: /^(node:|esbuild$|terser$|d3-geo$|topojson-(client|simplify)$)/,
    packageTypes: /^topojson-specification$/,
  },
  {
    name: "collector",
    files: /^collector\//,
    local: /^collector\/(?!build\.ts$)/,
    localTypes: /^processors\/model\//,
    packages: /^web-vitals$/,
  },
  {
    name: "dashboard",
    files: /^dashboard\//,
    local: /^dashboard\/(?!(login\/)?(build|world)\.ts$)/,
    localTypes: /^processors\/model\//,
    packages: NOTHING,
  },
  {
    name: "AWS infrastructure",
    files: /^infra\/aws\//,
    local:
      /^(infra\/(aws\/|[^/]+\.ts$)|processors\/(env|errors|telemetry|model\/archive|geo\/table)\.ts$|(collector|dashboard(\/login)?)\/build\.ts$)/,
    localTypes: /^processors\/model\//,
    packages: /^(node:|aws-cdk-lib$|constructs$|cdk-nag$|esbuild$)/,
  },
  {
    name: "local infrastructure",
    files: /^infra\/local\//,
    local:
      /^(infra\/(local\/|[^/]+\.ts$)|processors\/(?!handlers\/)|(collector|dashboard)\/build\.ts$|test\/kit\/)/,
    packages: /^(node:|velocityjs$|commander|cli-progress$|esbuild$)/,
  },
  {
    name: "the package's making",
    files: /^infra\/package\//,
    local: NOTHING,
    packages: /^node:/,
  },
  {
    name: "the API document",
    files: /^infra\/[^/]+\.ts$/,
    local: /^infra\/[^/]+\.ts$/,
    packages: NOTHING,
    isPure: true,
  },
  // Tests may look at everything; what they are made of is theirs.
  { name: "tests", files: /^test\//, local: /^/, packages: /^/ },
];

/** What a pure zone must not name. Dates made from a number are fine; dates made from nothing read the clock. */
export const IMPURE: readonly (readonly [RegExp, string])[] = [
  [/\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.|\bTemporal\.Now\b/, "reads a clock"],
  [/\bMath\.random\b|\brandomUUID\b|\bgetRandomValues\b/, "draws random numbers"],
  [/\bprocess\.(?!\.)|\bglobalThis\b/, "reads the process or its environment"],
  [/\bset(Timeout|Interval|Immediate)\b/, "sets a timer"],
  [/\bconsole\.|\bfetch\(/, "does input or output"],
];

/** Files that package.json exports: gathering is their job. */
export const PUBLIC_ENTRIES: ReadonlySet<string> = new Set(["test/kit/testing.ts"]);
