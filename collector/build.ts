/** Bundles the collector into the files that sites load. Runs in Node: on the server's first request, at deployment and in tests. */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync, constants as zlib } from "node:zlib";

export interface BuiltCollector {
  readonly code: string;
  /** Bytes as served: plain, gzip -9, brotli -11. */
  readonly sizes: { readonly raw: number; readonly gzip: number; readonly brotli: number };
}

/** What each file may cost to load, in bytes of brotli -11; the tests hold us to it. */
export const MAX_BROTLI_BYTES = {
  /** The core: what the smallest tracker with a comparable one costs. */
  "c.js": 1_963,
  /** The smallest script tag that others offer. */
  "lite.js": 972,
  /** The web-vitals library alone is 2,904. */
  "vitals.js": 3_100,
  "errors.js": 400,
  "rage.js": 700,
} as const;
/** The same for gzip -9, which servers without brotli send. */
export const MAX_GZIP_BYTES: Readonly<Record<CollectorFile, number>> = {
  "c.js": 2_260,
  "lite.js": 1_148,
  "vitals.js": 3_400,
  "errors.js": 450,
  "rage.js": 700,
};
export type CollectorFile = keyof typeof MAX_BROTLI_BYTES;
export const COLLECTOR_FILES = Object.keys(MAX_BROTLI_BYTES) as CollectorFile[];

const SOURCES: Readonly<Record<CollectorFile, string>> = {
  "c.js": "collector.ts",
  "lite.js": "lite.ts",
  "vitals.js": "vitals.ts",
  "errors.js": "errors.ts",
  "rage.js": "rage.ts",
};

/**
 * The order in which letters become names in the plain scripts: brotli cares, and saves some 20 bytes with a lucky one.
 * Found by `test/collector/letters.ts`; any other order works too.
 */
export const LETTERS = {
  "c.js": "sutqgfibvxDAEBWLFnwChXYKykHVcadjrmRzopGO$NSIQeM_ZTPJUl",
  "lite.js": "lwuqeiokpEyYjtd_ca$nmsrvfgMZCNVOFJUXHBQDzLIATbKPGxWhRS",
} as const;

/** Optional chaining, dynamic import and `||=`, and nothing newer: every browser since the autumn of 2020. */
const TARGET = "es2021";
/** A browser that cannot read an optional chunk goes without it; nothing needs to be rewritten for it. */
const CHUNK_TARGET = "es2022";

const built = new Map<CollectorFile, Promise<BuiltCollector>>();

/** Takes up to a second, once in a process; what failed is tried again. */
export function buildCollector(file: CollectorFile = "c.js"): Promise<BuiltCollector> {
  const known = built.get(file) ?? make(file);
  built.set(file, known);
  return known;
}

async function make(file: CollectorFile): Promise<BuiltCollector> {
  try {
    const letters = file in LETTERS ? LETTERS[file as keyof typeof LETTERS] : undefined;
    return await named(await compressed(file), letters);
  } catch (error) {
    built.delete(file);
    throw error;
  }
}

/** Everything but short names. */
export async function compressed(file: CollectorFile): Promise<string> {
  const isModule = !(file in LETTERS);
  // Here and not above, as terser below: a server that nobody asks for the collector need not hold them in memory.
  const { build } = await import("esbuild");
  const bundle = await build({
    entryPoints: [fileURLToPath(new URL(SOURCES[file], import.meta.url))],
    bundle: true,
    format: "esm",
    target: isModule ? CHUNK_TARGET : TARGET,
    legalComments: "none",
    tsconfigRaw: "{}",
    write: false,
  });
  // The bundler writes `var`, which would make every name of a plain script a global.
  const source = inlineNumbers(bundle.outputFiles[0]!.text).replace(/^var /gm, "let ");
  // Terser finds some 60 bytes more than esbuild.
  const { minify } = await import("terser");
  // What fails while loading, before any guard is set, must not reach the page either.
  const { code } = await minify(isModule ? source : `try{(()=>{${source}})()}catch{}`, {
    ecma: 2020,
    module: isModule,
    mangle: false,
    compress: { passes: 3, unsafe_arrows: true, keep_fargs: false, inline: 1 },
  });
  return code!;
}

/** Gives what `compressed` has made its names, out of `letters` if it is a plain script and not a module. */
export async function named(compressed: string, letters?: string): Promise<BuiltCollector> {
  const { minify } = await import("terser");
  const { code: wrapped } = await minify(compressed, {
    ecma: 2020,
    module: letters === undefined,
    compress: false,
    mangle: letters === undefined ? true : { nth_identifier: { get: (n: number) => nameOf(n, letters) } },
  });
  const code = letters === undefined ? wrapped! : unwrapped(wrapped!);
  const bytes = Buffer.from(code);
  return {
    code,
    sizes: {
      raw: bytes.length,
      gzip: gzipSync(bytes, { level: 9 }).length,
      brotli: brotliCompressSync(bytes, {
        params: { [zlib.BROTLI_PARAM_QUALITY]: 11, [zlib.BROTLI_PARAM_SIZE_HINT]: bytes.length },
      }).length,
    },
  };
}

/** A built file as a server offers it: by its name, which stays, and by its content, which may then be cached for ever. */
export interface OfferedFile {
  readonly name: CollectorFile;
  readonly code: string;
  /** `c/<hash>.js`, beside the file itself. */
  readonly pinned: string;
  /** For the attribute `integrity`. */
  readonly integrity: string;
}

export async function offerCollector(file: CollectorFile = "c.js"): Promise<OfferedFile> {
  const { code } = await buildCollector(file);
  const digest = createHash("sha384").update(code).digest();
  const hash = digest.toString("hex").slice(0, 16);
  return { name: file, code, pinned: `c/${hash}.js`, integrity: `sha384-${digest.toString("base64")}` };
}

/** The function has done its work once it has let the minifier shorten the names in it: a block hides them too. */
function unwrapped(code: string): string {
  const body = /^try\{\(\(\)=>\{(.*)\}\)\(\)\}catch\{\};?$/s.exec(code)?.[1];
  // Provided that there is nothing in it but `let`, `const` and arrow functions.
  if (!body || /\b(var|function)\b|^return\b/.test(body)) throw new Error(`the block would leak: ${code}`);
  return `try{${body.replace(/\bconst\b/g, "let")}}catch{}`;
}

/** The `n`th name, from 0: all letters, then all pairs of them, and so on. */
const nameOf = (n: number, letters: string): string =>
  n < letters.length
    ? letters[n]!
    : nameOf(Math.floor(n / letters.length) - 1, letters) + letters[n % letters.length]!;

/** Puts the value of every `MAX_CHARS = 16e3` where its name is used; the minifier does so only within one function. */
function inlineNumbers(code: string): string {
  let rest = code;
  for (const [line, name, value] of code.matchAll(/^ *var ([A-Z_]+) = ([\d.e]+);\n/gm)) {
    rest = rest.replace(line, "").replace(new RegExp(`\\b${name}\\b`, "g"), value!);
  }
  return rest;
}
