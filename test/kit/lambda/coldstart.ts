/** Handlers as a new container loads them. */
import type { HandlerName } from "../../../infra/aws/bundle.ts";

let started = 0;

/** A handler's module, run anew: it reads the environment as that is now. What the module imports is not run again. */
export async function coldStart<Module>(handler: HandlerName): Promise<Module> {
  return (await import(`../../../processors/handlers/${handler}.ts?start=${++started}`)) as Module;
}
