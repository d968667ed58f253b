/** Serves files: one made in memory, or a directory. With ETag, the right type, and no way out of the directory. */
import { readFile, realpath, stat } from "node:fs/promises";
import { extname, resolve, sep } from "node:path";
import { etagOf } from "../../../processors/etag.ts";
import { type Handler, type HttpResponse, jsonResponse, notFoundPage } from "./http.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".webmanifest": "application/manifest+json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".webp": "image/webp",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
  ".wasm": "application/wasm",
  ".txt": "text/plain; charset=utf-8",
};

const typeOf = (file: string): string => TYPES[extname(file).toLowerCase()] ?? "application/octet-stream";

/** Always ask whether it changed: the ETag makes that cheap, and nobody sees yesterday's dashboard. */
const REVALIDATE = "no-cache";

/**
 * Serves bytes that were made at the start (a bundle). `name` decides the type. Other sites may embed it when
 * `anyOrigin`: scripts of sites with a strict Cross-Origin-Embedder-Policy need that said.
 */
export function assetHandler(
  name: string,
  bytes: string | Uint8Array,
  options: { readonly maxAgeSeconds?: number; readonly anyOrigin?: boolean } = {},
): Handler {
  const response: HttpResponse = {
    status: 200,
    headers: {
      "Content-Type": typeOf(name),
      ETag: etagOf(bytes),
      "Cache-Control":
        options.maxAgeSeconds === undefined ? REVALIDATE : `public, max-age=${options.maxAgeSeconds}`,
      ...(options.anyOrigin === true
        ? { "Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin" }
        : {}),
    },
    body: bytes,
  };
  return () => response;
}

/**
 * Serves the files below `directory` at `prefix` (which ends in "/"); `index.html` stands for a directory.
 * Only regular files whose real path lies inside are served, so neither `..` nor a symbolic link leads out, and
 * names that begin with a dot stay private.
 */
export function directoryHandler(prefix: string, directory: string): Handler {
  const kept = new Map<string, { readonly version: string; readonly response: HttpResponse }>();
  return async ({ path }) => {
    const name = decodePath(path.slice(prefix.length));
    if (name === undefined) return jsonResponse(400, { message: "The path is not well-formed." });
    if (name.split("/").some((part) => part.startsWith("."))) return notFoundPage;
    const root = await realpath(directory);
    let file = await realpath(resolve(root, name)).catch(() => undefined);
    if (file === undefined || !isInside(root, file)) return notFoundPage;
    let facts = await stat(file);
    if (facts.isDirectory()) {
      if (name !== "" && !name.endsWith("/")) {
        return { status: 308, headers: { Location: `${path.replace(/^\/+/, "/")}/` }, body: "" };
      }
      file = await realpath(resolve(file, "index.html")).catch(() => undefined);
      if (file === undefined || !isInside(root, file)) return notFoundPage;
      facts = await stat(file);
    }
    if (!facts.isFile()) return notFoundPage;
    const version = `${facts.mtimeMs}:${facts.size}`;
    let entry = kept.get(file);
    if (entry?.version !== version) {
      const body = await readFile(file);
      entry = {
        version,
        response: {
          status: 200,
          headers: { "Content-Type": typeOf(file), ETag: etagOf(body), "Cache-Control": REVALIDATE },
          body,
        },
      };
      kept.set(file, entry);
    }
    return entry.response;
  };
}

const isInside = (root: string, file: string): boolean => file === root || file.startsWith(root + sep);

/** Undefined for percent signs that are no encoding, and for zero bytes and backslashes, which no file of ours has. */
function decodePath(path: string): string | undefined {
  try {
    const name = decodeURIComponent(path);
    return name.includes("\0") || name.includes("\\") ? undefined : name.replace(/^\/+/, "");
  } catch {
    return undefined;
  }
}
