/** What readers may ask, each question with who asks it: no answer without a check of the site. Knows no HTTP. */
import type { Reader } from "../access.ts";
import { bad } from "../fields.ts";
import { bodyOf, csvLines, disposition, fileName, type Parameters } from "./csv.ts";
import type { QueryEngine } from "./engine.ts";
import type { LiveResponse, QueryResponse, SitesResponse } from "./responses.ts";

export interface CsvExport {
  /** Of the header Content-Disposition. */
  readonly disposition: string;
  /** The header line first, then some lines at a time. Made while it is read, so that a long table is never one text. */
  readonly lines: AsyncIterable<string>;
}

/** All throw `bad_request` naming the field, `forbidden`, or `not_found`. */
export class QueryApi {
  readonly #engine: QueryEngine;

  constructor(engine: QueryEngine) {
    this.#engine = engine;
  }

  /** Rejects with the signal's reason when it aborts before everything is read. */
  async query(reader: Reader, body: unknown, signal?: AbortSignal): Promise<QueryResponse> {
    checkSite(reader, (body as { site_id?: unknown } | null | undefined)?.site_id);
    return this.#engine.query(body, signal);
  }

  async live(reader: Reader, siteId: string | null | undefined): Promise<LiveResponse> {
    if (!siteId) return bad("site_id: required");
    checkSite(reader, siteId);
    return this.#engine.live(siteId);
  }

  /** The sites that the reader may read. */
  async sites(reader: Reader): Promise<SitesResponse> {
    const { sites } = await this.#engine.sites();
    return { sites: sites.filter(({ site_id }) => reader.mayRead(site_id)) };
  }

  /** All rows of a query, whose parameters are those of an address. A series over time has no gaps. Ends as `query` does when the signal aborts. */
  async exportCsv(reader: Reader, parameters: Parameters, signal?: AbortSignal): Promise<CsvExport> {
    const body = bodyOf(parameters);
    checkSite(reader, body.site_id);
    const answer = await this.#engine.queryAll(body, signal);
    return { disposition: disposition(fileName(answer)), lines: csvLines(answer) };
  }
}

/** What is no text is no site, and the engine says so. */
function checkSite(reader: Reader, siteId: unknown): void {
  if (typeof siteId === "string") reader.check(siteId);
}
