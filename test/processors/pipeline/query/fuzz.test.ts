/**
 * Random queries over recorded data, each answered a second time by the oracle and by plain loops: rows, order, pages,
 * filters and comparisons. `npm run campaign` asks others each time, and with `-- --queries 100000` as many as one likes of as many events.
 */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { randomBytes, secrets } from "../../../../processors/crypto.ts";
import { ClickstreamError } from "../../../../processors/errors.ts";
import { AccessControl, createGrant } from "../../../../processors/pipeline/access.ts";
import { collected } from "../../../kit/collected.ts";
import { makeSubject, questionsTo, type Subject, ZONES } from "../../../kit/questions.ts";
import { judge } from "../../../kit/secondanswer.ts";
import { anyText } from "../../../kit/texts.ts";

const SEED = Number(process.env.RIVULET_SEED ?? 20_260_401);
const QUERIES = 100;
const EVENTS = 2_000;
const SITE = "shop.example";

describe(`random queries (seed ${SEED}, ${QUERIES} of them, ${EVENTS} events)`, () => {
  let subject: Subject;
  beforeAll(async () => {
    subject = await makeSubject(SEED, EVENTS, ZONES[0]!);
  });

  it("are answered as the oracle answers them", async () => {
    let compared = 0;
    let filtered = 0;
    await fc.assert(
      fc.asyncProperty(questionsTo(subject), async (one) => {
        const judged = await judge(subject, one);
        expect(judged.problems).toEqual([]);
        expect(judged.isApproximate).toBe(false);
        if (judged.isFiltered) filtered++;
        if (judged.isCompared) compared++;
      }),
      { numRuns: QUERIES, seed: SEED },
    );
    // That the sample is no sample of nothing.
    expect(filtered).toBeGreaterThan(QUERIES / 12);
    expect(compared).toBeGreaterThan(QUERIES / 12);
  }, 120_000);

  it("are answered so too where clocks move and where hours begin at half past", async () => {
    for (const zone of ZONES.slice(1)) {
      const there = await makeSubject(SEED, 300, zone);
      await fc.assert(
        fc.asyncProperty(questionsTo(there), async (one) => {
          expect((await judge(there, one)).problems).toEqual([]);
        }),
        { numRuns: 40, seed: SEED },
      );
    }
  }, 120_000);

  it("are answered or refused by name in whatever form they come, as JSON and in an address", async () => {
    const { token } = await createGrant(
      { ...subject.replayed, secrets, randomBytes },
      { kind: "key", site: SITE },
    );
    const reader = await new AccessControl({ ...subject.replayed, secrets }, { isKeyRequired: true }).reader(
      token,
    );
    const word = fc.oneof(
      fc.constantFrom(
        "time",
        "time:day",
        "event:page",
        "visit:source",
        "visitors",
        "percentage",
        "7d",
        "all",
        "is",
      ),
      fc.constantFrom("previous_period", "custom", "2026-03-09", "2026-02-30", "asc", "__proto__", "", SITE),
      anyText({ maxLength: 8 }),
    );
    const some = fc.oneof(word, fc.array(word, { maxLength: 3 }), fc.jsonValue({ maxDepth: 3 }));
    const include = fc.record(
      { compare: some, comparisons: some, total_rows: some, time_labels: some },
      { requiredKeys: [] },
    );
    const names = [
      "metrics",
      "date_range",
      "dimensions",
      "filters",
      "order_by",
      "include",
      "pagination",
    ] as const;
    const right = { site_id: SITE, metrics: ["visitors"], date_range: "7d" };
    const body = fc
      .tuple(
        fc.subarray([...names], { maxLength: 2 }),
        fc.array(fc.oneof(some, include), { minLength: 2, maxLength: 2 }),
      )
      .map(([fields, wrong]) => ({
        ...right,
        ...Object.fromEntries(fields.map((name, i) => [name, wrong[i]])),
      }));
    const address = fc.dictionary(fc.constantFrom(...names, "share", "format"), word, { maxKeys: 3 });
    const outcomes = { answered: 0, refused: 0 };
    const observe = async (work: Promise<unknown>): Promise<void> => {
      try {
        await work;
        outcomes.answered++;
      } catch (error) {
        if (!(error instanceof ClickstreamError)) throw error;
        expect(error.code).toBe("bad_request");
        expect(error.message).toMatch(/^.+: /s);
        outcomes.refused++;
      }
    };
    await fc.assert(
      fc.asyncProperty(body, address, async (sent, parameters) => {
        await observe(subject.api.query(reader, sent));
        await observe(
          subject.api
            .exportCsv(reader, { site_id: SITE, metrics: "visitors", date_range: "7d", ...parameters })
            .then(({ lines }) => collected(lines)),
        );
      }),
      { numRuns: QUERIES, seed: SEED },
    );
    expect(outcomes.answered).toBeGreaterThan(QUERIES / 10);
    expect(outcomes.refused).toBeGreaterThan(QUERIES / 10);
  }, 120_000);
});
