/**
 * What a message of the queue says: objects that came into the bucket. S3's notification is JSON within SNS's JSON, its
 * keys are encoded as forms are, and it may come twice, in any order, or be a test. Knows no service's client.
 */
import { ClickstreamError } from "../../errors.ts";
import { isObject, parseJson } from "../decode/checks.ts";

export interface ObjectNotice {
  readonly bucket: string;
  /** As it is, not as it was encoded. */
  readonly key: string;
  /** The notification for this object alone, to be told again. */
  readonly text: string;
}

/** The objects that a message names; none when S3 only tried the way. Throws `bad_request`, naming the part that is none. */
export function noticesOf(body: string): ObjectNotice[] {
  const envelope = parseJson(body);
  if (!isObject(envelope) || envelope.Type !== "Notification" || typeof envelope.Message !== "string")
    throw malformed("not a notification of SNS");
  const event = parseJson(envelope.Message);
  if (!isObject(event)) throw malformed("Message: not a JSON object");
  if (event.Event === "s3:TestEvent") return [];
  if (!Array.isArray(event.Records)) throw malformed("Message.Records: not a list");
  return event.Records.map((record: unknown, i) => {
    const s3 = isObject(record) && isObject(record.s3) ? record.s3 : {};
    const bucket = isObject(s3.bucket) ? s3.bucket.name : undefined;
    const key = isObject(s3.object) ? s3.object.key : undefined;
    if (typeof bucket !== "string" || typeof key !== "string")
      throw malformed(`Message.Records[${i}].s3: no bucket.name and object.key`);
    return { bucket, key: decoded(key, i), text: JSON.stringify({ Records: [record] }) };
  });
}

function decoded(key: string, i: number): string {
  try {
    return decodeURIComponent(key.replaceAll("+", " "));
  } catch {
    throw malformed(`Message.Records[${i}].s3.object.key: not URL-encoded`);
  }
}

const malformed = (what: string): ClickstreamError =>
  new ClickstreamError("bad_request", `notification: ${what}`);

const IMPORTS = "imports/";
const REPORTS = "reports/";
/** Lies in a site's folder and names the columns of its files. */
const MAPPING = "mapping.json";
const ALL = "all/";

/** What an object's key says of how it is imported. */
export interface Place {
  readonly site: string;
  /** Every request of a log counts. */
  readonly all: boolean;
  readonly mappingKey: string;
  /** What its reports' keys begin with. */
  readonly reportKey: string;
}

/**
 * `imports/SITE/[all/][FOLDERS/]FILE`; undefined for what lies there and is no file to import: a folder's own entry, or
 * the names of columns. Throws `bad_request` for a key that names no site.
 */
export function placeOf(key: string): Place | undefined {
  const [folder = "", ...rest] = key.startsWith(IMPORTS) ? key.slice(IMPORTS.length).split("/") : [];
  const path = rest.join("/");
  if (folder === "" || rest.length === 0)
    throw new ClickstreamError("bad_request", `key "${key}": not ${IMPORTS}SITE/FILE`);
  if (path === "" || path.endsWith("/") || path === MAPPING) return undefined;
  return {
    site: siteOf(folder),
    all: path.startsWith(ALL),
    mappingKey: `${IMPORTS}${folder}/${MAPPING}`,
    reportKey: `${REPORTS}${folder}/${path}.report`,
  };
}

/** An id with a slash is written encoded: without that its file would be one of the site before the slash. */
function siteOf(folder: string): string {
  try {
    return decodeURIComponent(folder);
  } catch {
    return folder;
  }
}
