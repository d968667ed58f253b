/** Bundles the collector into the one file that sites load. Runs in Node: on the server's first request, at deployment and in tests. */
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync, constants as zlib } from "node:zlib";
import { build, transform } from "esbuild";

export interface BuiltCollector {
  readonly code: string;
  /** Bytes as served: plain, gzip -9, brotli -11. */
  readonly sizes: { readonly raw: number; readonly gzip: number; readonly brotli: number };
}

/** What the smallest tracker with a comparable core costs to load; the tests hold us to it. */
export const MAX_BROTLI_BYTES = 1_963;

const TARGET = "es2019";

/** Takes about 20 ms; callers keep the result. */
export async function buildCollector(): Promise<BuiltCollector> {
  const bundle = await build({
    entryPoints: [fileURLToPath(new URL("collector.ts", import.meta.url))],
    bundle: true,
    format: "iife",
    target: TARGET,
    tsconfigRaw: "{}",
    write: false,
  });
  // What fails while loading, before any guard is set, must not reach the page either.
  const inlined = inlineNumbers(bundle.outputFiles[0]!.text);
  const { code } = await transform(`try{${inlined}}catch(e){}`, { minify: true, target: TARGET });
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

/** Puts the value of every `MAX_CHARS = 16e3` where its name is used; the minifier does so only within one function. */
function inlineNumbers(code: string): string {
  let rest = code;
  for (const [line, name, value] of code.matchAll(/^ *var ([A-Z_]+) = ([\d.e]+);\n/gm)) {
    rest = rest.replace(line, "").replace(new RegExp(`\\b${name}\\b`, "g"), value!);
  }
  return rest;
}
