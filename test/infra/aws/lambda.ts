/** What a template says of a function, worked out: its environment's values and the folder of its code. */
import { join } from "node:path";
import type { Json, Synthesised } from "./synth.ts";

/** Values for what a template leaves open: `Ref` and `Fn::GetAtt` by logical id (or `id.attribute`). */
export type Known = Readonly<Record<string, string>>;

/** A template's value with its intrinsic functions worked out. Throws on a reference that is not known. */
export function resolve(value: Json, known: Known): Json {
  if (Array.isArray(value)) return value.map((one) => resolve(one, known));
  if (typeof value !== "object" || value === null) return value;
  const [[key, argument] = ["", undefined], ...more] = Object.entries<Json>(value);
  if (more.length === 0 && (key === "Ref" || key.startsWith("Fn::"))) return intrinsic(key, argument, known);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, resolve(one, known)]));
}

function intrinsic(name: string, argument: Json, known: Known): Json {
  const look = (id: string): string => {
    const found = known[id];
    if (found === undefined) throw new Error(`${name} of ${id} is not known`);
    return found;
  };
  if (name === "Ref") return look(argument);
  if (name === "Fn::GetAtt") return look(argument.join("."));
  const [first, second] = resolve(argument, known);
  if (name === "Fn::Join") return second.join(first);
  if (name === "Fn::Split") return second.split(first);
  if (name === "Fn::Select") return second[Number(first)];
  throw new Error(`${name} is not known`);
}

/** Folder of the code that the template would upload. */
export function bundleOf(cloud: Synthesised, id: string): string {
  const key: string = cloud.template.toJSON().Resources[id].Properties.Code.S3Key;
  return join(cloud.outdir, `asset.${key.replace(/\.zip$/, "")}`);
}
