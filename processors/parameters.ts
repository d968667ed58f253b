/** What holds for the parameters of every request that reads, whoever received it. */
import { ClickstreamError } from "./errors.ts";

const MAX_NAME_CHARS = 40;

/**
 * Refuses a parameter that is given more than once: of two values neither may be taken for what was meant. `names`: of
 * all, repeats among them. Throws `bad_request`.
 */
export function refuseRepeated(names: Iterable<string>): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name))
      throw new ClickstreamError("bad_request", `${name.slice(0, MAX_NAME_CHARS)}: given more than once`);
    seen.add(name);
  }
}
