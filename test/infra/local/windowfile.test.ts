/** The file of windows that are being folded again. */
import { join } from "node:path";
import { expect, it } from "vitest";
import { windowFile } from "../../../infra/local/windowfile.ts";
import { temporaryDirectory } from "../../kit/temporary.ts";

const root = temporaryDirectory();

it("windows in a file are those of the last writing, whoever opens it next", () => {
  const path = join(root, "windows.db");
  const large = Uint8Array.from({ length: 200_000 }, (_, i) => i % 251);
  {
    using file = windowFile(path);
    file.hours.set(3_600_000, Uint8Array.of(1));
    file.hours.set(0, Uint8Array.of(2));
    file.minutes.set(60_000, large);
    file.hours.set(3_600_000, Uint8Array.of(3));
    expect(file.hours.get(3_600_000)).toEqual(Uint8Array.of(3));
  }
  using file = windowFile(path);
  expect([...file.hours.keys()]).toEqual([0, 3_600_000]);
  expect([...file.minutes.keys()]).toEqual([60_000]);
  expect(file.hours.get(3_600_000)).toEqual(Uint8Array.of(3));
  expect(file.minutes.get(60_000)).toEqual(large);
  expect(file.minutes.get(0)).toBeUndefined();
});
