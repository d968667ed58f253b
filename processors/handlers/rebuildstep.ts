/** The steps of a rebuild by the names that the state machine calls them, with its inputs and answers. */
import { ClickstreamError } from "../errors.ts";
import { ErasingSteps } from "../pipeline/rebuild/erasing.ts";
import { type RebuildStepDeps, RebuildSteps } from "../pipeline/rebuild/steps.ts";

/** What the state machine passes: which step of which execution, and what that step takes. */
export type RebuildEvent = { readonly run: string } & (
  | { readonly step: "begin"; readonly input: unknown }
  | { readonly step: "arrived" | "plan" | "merge" | "noteErased" }
  | { readonly step: "sort" | "takeOut"; readonly portion: number }
  | { readonly step: "fold"; readonly lot: number }
  | { readonly step: "put" | "compare"; readonly next: string }
  | { readonly step: "end"; readonly switch: boolean }
  | { readonly step: "giveUp"; readonly failure: unknown }
);

/** What a step answers; null where the next one finds all it needs in the bucket. */
export async function rebuildStep(deps: RebuildStepDeps, event: RebuildEvent): Promise<unknown> {
  try {
    return (await answer(deps, event)) ?? null;
  } catch (error) {
    if (error instanceof ClickstreamError) error.name = error.code;
    throw error;
  }
}

function answer(deps: RebuildStepDeps, event: RebuildEvent): Promise<unknown> {
  const steps = new RebuildSteps(deps, event.run);
  const erasing = new ErasingSteps(deps.objects, event.run);
  switch (event.step) {
    case "begin":
      return steps.begin(event.input);
    case "arrived":
      return steps.hasArrived();
    case "plan":
      return steps.plan();
    case "sort":
      return steps.sort(event.portion);
    case "fold":
      return steps.fold(event.lot);
    case "merge":
      return steps.merge();
    case "put":
      return steps.put(event.next);
    case "compare":
      return steps.compare(event.next);
    case "noteErased":
      return erasing.noteErased();
    case "takeOut":
      return erasing.takeOut(event.portion);
    case "end":
      return steps.end(event.switch);
    case "giveUp":
      return steps.giveUp(event.failure);
  }
}
