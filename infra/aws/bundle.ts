/** What is uploaded of a function: its entry and, in files of their own, what it loads when it needs it. Knows no construct. */
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const handlers = new URL("../../processors/handlers/", import.meta.url);
/** A checkout has sources; a package, where Node runs no TypeScript, what was compiled from them. */
const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** What the SDK loads on demand, and nobody in Lambda demands. */
const UNUSED = [
  ...["http", "ini", "login", "process", "sso", "web-identity"].map(
    (kind) => `@aws-sdk/credential-provider-${kind}`,
  ),
  "@smithy/credential-provider-imds", // of an EC2 instance; credentials of containers ("http") come after it
];

/** The files in processors/handlers that export a `handler`. */
export const HANDLERS = [
  "aggregate",
  "alerts",
  "archive",
  "canary",
  "compact",
  "estimate",
  "expire",
  "import",
  "query",
  "rebuild",
  "thrift",
] as const;
export type HandlerName = (typeof HANDLERS)[number];

/** The same of some handlers; in others our own code, or a client of theirs, loads it at once. */
const UNUSED_BY: readonly (readonly [module: string, by: readonly HandlerName[]])[] = [
  // What agents say: by the SDK in browsers only.
  ["bowser", ["alerts", "canary", "compact", "estimate", "expire", "query", "rebuild", "thrift"]],
  // What holds patterns of filters against values: rules have none.
  ["re2js", ["alerts"]],
  // Answers that are streams: no operation that we call has one.
  ["@smithy/core/event-streams", ["alerts", "estimate", "query"]],
];

/** Makes `index.mjs` and its chunks in `folder` of a handler. Throws esbuild's errors. */
export function bundleHandler(handler: HandlerName, folder: string): void {
  buildSync({
    entryPoints: { index: fileURLToPath(new URL(`${handler}.${extension}`, handlers)) },
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node24",
    minify: true,
    logLevel: "warning",
    // The SDK goes in: the version that was tested is the version that runs (decision 22).
    external: [...UNUSED, ...UNUSED_BY.filter(([, by]) => by.includes(handler)).map(([module]) => module)],
    mainFields: ["module", "main"],
    // CommonJS packages inside an ES module (the X-Ray SDK among them) still call require.
    banner: {
      js: 'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);',
    },
  });
}
