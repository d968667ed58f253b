/** Checks the options of a replay, so that a slip in a test is told by name instead of changing what the test proves. */
import { ClickstreamError } from "../../processors/errors.ts";

/** What `true` stands for where a test only wants "some". */
const SOME = { duplicates: 0.2, shuffle: 5_000, lateBy: 600_000 } as const;

/** Options as a test may write them: `true` is some, `false` is none. */
export interface LooseOptions {
  /** Everything random follows from it: batch sizes, repeats, delays, crash points. Default 1. */
  readonly seed?: number;
  /** Ignored by a manual clock but accepted, so that one set of options serves the command line too. */
  readonly speed?: number | "max";
  /** Chance that a record is put twice, as a producer does whose first answer was lost. */
  readonly duplicates?: number | boolean;
  /** Records arrive up to this many milliseconds later than recorded. A partition key's order holds, as in any stream. */
  readonly shuffle?: number | boolean;
  /** A tenth of the visitors are held up by up to this many milliseconds as a whole. */
  readonly lateBy?: number | boolean;
  /**
   * Store operations after which a worker dies, before or after the effect of the one it was at; its successor goes
   * on. A number crashes one worker there, a list one after the other, "random" some at random points.
   */
  readonly crashAt?: number | readonly number[] | "random" | boolean;
  /** Number of the line, or of several, before which every open shard is split in two. */
  readonly reshardAt?: number | readonly number[];
  /** Shards at the start. Default 1. */
  readonly shards?: number;
}

/** The same with every number in place. */
export interface CheckedOptions {
  readonly seed: number;
  readonly duplicates: number;
  readonly shuffle: number;
  readonly lateBy: number;
  /** "random", or the numbers of store operations. */
  readonly crashAt: "random" | readonly number[];
  /** Numbers of the lines before which every open shard is split. */
  readonly reshardAt: readonly number[];
  readonly shards: number;
}

const OTHERS = ["speed", "sites", "allowedLatenessMs", "store", "observe"];

/** Throws `bad_request` naming the option. */
export function checkOptions(options: LooseOptions): CheckedOptions {
  const known = [...KNOWN, ...OTHERS];
  for (const name of Object.keys(options))
    if (!known.includes(name)) bad(name, `no such option; known are ${known.join(", ")}`);
  const { crashAt = false, reshardAt = [], speed = "max" } = options;
  if (speed !== "max" && !(typeof speed === "number" && speed > 0))
    bad("speed", 'a factor above 0, or "max"');
  return {
    seed: whole("seed", options.seed ?? 1, Number.MIN_SAFE_INTEGER),
    duplicates: amount("duplicates", options.duplicates, 1),
    shuffle: amount("shuffle", options.shuffle),
    lateBy: amount("lateBy", options.lateBy),
    crashAt:
      crashAt === true || crashAt === "random"
        ? "random"
        : crashAt === false
          ? []
          : wholes("crashAt", crashAt),
    reshardAt: wholes("reshardAt", reshardAt),
    shards: whole("shards", options.shards ?? 1, 1),
  };
}

const KNOWN: readonly (keyof CheckedOptions)[] = [
  "seed",
  "duplicates",
  "shuffle",
  "lateBy",
  "crashAt",
  "reshardAt",
  "shards",
];

const bad = (name: string, wanted: string): never => {
  throw new ClickstreamError("bad_request", `replay option ${name}: ${wanted}`);
};

function amount(name: keyof typeof SOME, value: unknown, most = Number.POSITIVE_INFINITY): number {
  if (value === undefined || value === false) return 0;
  if (value === true) return SOME[name];
  if (typeof value === "number" && value >= 0 && value <= most) return value;
  return bad(name, most === 1 ? "a chance from 0 to 1, or true or false" : "milliseconds, or true or false");
}

function whole(name: string, value: unknown, least: number): number {
  return Number.isSafeInteger(value) && (value as number) >= least
    ? (value as number)
    : bad(name, `a whole number${least > 0 ? ` from ${least}` : ""}`);
}

function wholes(name: string, value: unknown): number[] {
  return (Array.isArray(value) ? value : [value]).map((one) => whole(name, one, 0));
}
