/** Paths of an operator's own choice for the collector and its reports: lists of ad blockers know the usual ones. */

/** Where else the collector is offered, its optional chunks and pinned versions beside it, and where else its reports are taken. */
export interface OwnPaths {
  /** E.g. `/stats/s.js`. */
  readonly scriptPath?: string | undefined;
  /** E.g. `/stats/e`. */
  readonly ingestPath?: string | undefined;
}

/** What a path may be, for who asked for another one. */
export const OWN_PATH_RULE =
  "a path such as /stats/s.js, not below /api, /v1, /c, /demo, /embed, /login or /traces, and no file of Rivulet's own such as /app.js";

/** The folder of a script, with its slash: its chunks and pinned versions are beside it. */
export const folderOf = (scriptPath: string): string => scriptPath.slice(0, scriptPath.lastIndexOf("/") + 1);

const FOLDERS = /^\/(?:api|v1|demo|c|embed|login|traces)(?:\/|$)/;
/** Of the dashboard, the image and the collector: one of them would not be served any more. */
const FILES =
  /^\/(?:index\.html|app\.(?:js|css)|world\.json|icon\.svg|p\.gif|(?:c|lite|vitals|errors|rage)\.js)$/;

/** Whether `text` is a path of a URL that nothing else of Rivulet uses, on one machine or on AWS. */
export const isOwnPath = (text: string): boolean =>
  /^(?:\/[\w.~-]+)+$/.test(text) && !FOLDERS.test(text) && !FILES.test(text);
