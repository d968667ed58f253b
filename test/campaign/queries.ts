/** Random questions about recorded data in every kind of time zone, each answered twice. Knows no budget and prints nothing. */
import fc from "fast-check";
import { makeSubject, questionsTo, ZONES } from "../kit/questions.ts";
import { judge } from "../kit/secondanswer.ts";

export interface Questioned {
  readonly asked: number;
  /** Answers that stated an error, held to it. */
  readonly approximate: number;
  readonly zone: string;
  readonly problems: readonly string[];
}

/** Asks `count` questions of one recording of `events` events; the seed chooses the zone too. Stops at the first wrong answer. */
export async function askAtRandom(
  seed: number,
  { count, events, hasTime }: { count: number; events: number; hasTime: () => boolean },
): Promise<Questioned> {
  const zone = ZONES[seed % ZONES.length]!;
  const subject = await makeSubject(seed, events, zone);
  let asked = 0;
  let approximate = 0;
  // One after the other, and not as a property: what failed is told whole, and shrinking would ask for minutes.
  for (const question of fc.sample(questionsTo(subject), { numRuns: count, seed })) {
    if (!hasTime()) break;
    asked++;
    let problems: readonly string[];
    try {
      const judged = await judge(subject, question);
      if (judged.isApproximate) approximate++;
      problems = judged.problems;
    } catch (error) {
      problems = [`${error}`, JSON.stringify(question)];
    }
    if (problems.length > 0) return { asked, approximate, zone: zone.name, problems };
  }
  return { asked, approximate, zone: zone.name, problems: [] };
}
