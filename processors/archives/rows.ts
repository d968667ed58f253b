/** Reads the rows of a local archive in the order of the fold, journals among them, within bounded memory. */
import { mkdir, rm } from "node:fs/promises";
import { ClickstreamError } from "../errors.ts";
import type { CountedRow } from "../model/archive.ts";
import type { ArchivedRows } from "./archive.ts";
import { inOrder } from "./inorder.ts";
import { temporaryPath } from "./presence.ts";
import { readStretch } from "./stretch.ts";
import { type Survey, surveyRows } from "./survey.ts";

/** One of `of` parts of a site's visitors, numbered from 0: a visitor's rows are all in one. What nobody sent is in the first. */
export interface Lot {
  readonly number: number;
  readonly of: number;
}

const EVERYBODY: Lot = { number: 0, of: 1 };

/** `directory` of the archive. */
export function fileRows(directory: string): ArchivedRows {
  return {
    async *read(site) {
      const folder = await workFolder(directory);
      try {
        yield* surveyedRows(await surveyRows(directory, site, folder), folder);
      } catch (cause) {
        throw asOutage(directory, cause);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

/** A folder for what a reader needs meanwhile. What a killed one left is deleted by whoever keeps the files next. */
export async function workFolder(directory: string): Promise<string> {
  const folder = temporaryPath(directory);
  await mkdir(folder, { mode: 0o700 });
  return folder;
}

/** The rows that a survey found, of a lot of visitors. `folder` takes what is too much to hold. Throws what the file system throws. */
export function surveyedRows(
  { site, stretches, fresh }: Survey,
  folder: string,
  lot = EVERYBODY,
): AsyncGenerator<CountedRow[]> {
  const isWanted = (visitor: string | null): boolean => isIn(lot, visitor);
  const runs = stretches.map(({ first, ...stretch }) => ({
    first,
    read: () => readStretch(site, stretch, isWanted),
  }));
  const own = fresh.filter(({ visitor }) => isWanted(visitor));
  return inOrder(runs, own, folder);
}

/** The last digit of a pseudonym is as good as random. */
const isIn = ({ number, of }: Lot, visitor: string | null): boolean =>
  (visitor === null ? 0 : visitor.charCodeAt(visitor.length - 1) % of) === number;

export const asOutage = (directory: string, cause: unknown): ClickstreamError =>
  cause instanceof ClickstreamError
    ? cause
    : new ClickstreamError("unavailable", `archive ${directory}: files could not be read or written`, {
        cause,
      });
