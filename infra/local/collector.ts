/** Serves the collector: each file by its name, and by its content for ever. Builds on first request, because most starts are restarts. */
import {
  COLLECTOR_FILES,
  type CollectorFile,
  type OfferedFile,
  offerCollector,
} from "../../collector/build.ts";
import { folderOf } from "../ownpath.ts";
import { assetHandler } from "./gateway/assets.ts";
import type { Gateway } from "./gateway/gateway.ts";
import { type HttpResponse, notFoundPage } from "./gateway/http.ts";

/** A page asks for it at every view; after this long it hears of a new version. */
const MAX_AGE_SECONDS = 3_600;
const FOR_EVER = "public, max-age=31536000, immutable";

/** `scriptPath`: where the core is offered too, with its optional chunks beside it. */
export function addCollector(gateway: Gateway, scriptPath = "/c.js"): void {
  const built = new Map<CollectorFile, Promise<OfferedFile>>();
  const offer = (file: CollectorFile): Promise<OfferedFile> => {
    const known = built.get(file) ?? offerCollector(file);
    built.set(file, known);
    return known;
  };
  const named = async (file: CollectorFile): Promise<HttpResponse> => {
    const { name, code } = await offer(file);
    return respond(name, code);
  };
  for (const folder of new Set(["/", folderOf(scriptPath)])) {
    for (const file of COLLECTOR_FILES)
      gateway.route("GET", folder + file, () => named(file), { anyHost: true });
    const inFolder = async ({ path }: { path: string }): Promise<HttpResponse> => {
      const rest = path.slice(folder.length);
      // A pinned core looks for its chunks beside itself.
      const chunk = COLLECTOR_FILES.find((file) => rest === `c/${file}`);
      if (chunk !== undefined) return named(chunk);
      for (const file of ["c.js", "lite.js"] as const) {
        const { pinned, code } = await offer(file);
        if (rest !== pinned) continue;
        const { headers, ...answer } = respond(file, code);
        return { ...answer, headers: { ...headers, "Cache-Control": FOR_EVER } };
      }
      return notFoundPage;
    };
    gateway.route("GET", `${folder}c/*`, inFolder, { anyHost: true });
  }
  gateway.route("GET", scriptPath, () => named("c.js"), { anyHost: true });
}

const respond = (name: string, code: string): HttpResponse =>
  assetHandler(name, code, { maxAgeSeconds: MAX_AGE_SECONDS, anyOrigin: true })({} as never) as HttpResponse;
