/** What whoever asks is told where an engine meets a limit: in the same words whichever engine it was. */
import { ClickstreamError } from "../errors.ts";

interface Cause {
  readonly cause: unknown;
}

/** `limit` as it follows "takes more", such as "than 30 s". */
export const takesMore = (limit: string, options?: Cause): ClickstreamError =>
  new ClickstreamError(
    "bad_request",
    `date_range: reading the archive takes more ${limit}; ask for a shorter date_range, fewer dimensions, or filter`,
    options,
  );

export const tooLong = (timeoutMs: number): ClickstreamError => takesMore(`than ${timeoutMs / 1000} s`);

export const badPattern = (options?: Cause): ClickstreamError =>
  new ClickstreamError(
    "bad_request",
    "filters: the archive cannot use one of the patterns; write it more plainly",
    options,
  );
