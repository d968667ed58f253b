/** The map of the world as the page loads it: outlines by country, projected when the page is built, in whole units. Runs in Node only. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { setImmediate as turn } from "node:timers/promises";
import { geoCentroid, geoNaturalEarth1, geoPath } from "d3-geo";
import { feature } from "topojson-client";
import { presimplify, simplify } from "topojson-simplify";
import type { GeometryCollection, Topology } from "topojson-specification";

/** Width of the drawing in its own units. In a panel one of them is a pixel, about: finer costs bytes and shows nothing. */
const WIDTH = 480;
/**
 * Corners that bend an outline by less are left out: the area of the triangle with their neighbours in square degrees
 * (M. Visvalingam, J. D. Whyatt, "Line generalisation by repeated elimination of points", 1993). Rounded to units, all of
 * them together make stairs of a line.
 */
const LEAST_BEND = 1.5;
/** Smaller islands, in square units, are specks: they are left out where the country has land that is seen. */
const SPECK = 5;
/** ISO 3166-1 numeric. Nobody browses from there, and it would take a fifth of the height. */
const ANTARCTICA = "010";

/** Outlines as paths, and countries too small for one as points, both by ISO 3166-1 alpha-2. */
export interface World {
  readonly width: number;
  readonly height: number;
  readonly shapes: Readonly<Record<string, string>>;
  readonly points: Readonly<Record<string, readonly [x: number, y: number]>>;
}

/** Projects Natural Earth's countries (public domain, from the package world-atlas). */
export async function buildWorld(): Promise<World> {
  const [outlines, fine] = await Promise.all([countries("110m"), countries("50m")]);
  const coarse = featuresOf(simplify(presimplify(outlines), LEAST_BEND));
  const shown = coarse.filter(({ id }) => id !== ANTARCTICA);
  const whole = { type: "FeatureCollection" as const, features: shown };
  const projection = geoNaturalEarth1().fitWidth(WIDTH, whole);
  const path = geoPath(projection).digits(0);
  const shapes: Record<string, string> = {};
  for (const country of shown) {
    // A server has others to answer meanwhile.
    await turn();
    // A territory in dispute without a code of its own is land all the same.
    const code = codeOf(country.id) ?? "";
    const shape = relative(path(country) ?? "");
    // Where nothing is left of it, it is a point.
    if (shape) shapes[code] = (shapes[code] ?? "") + shape;
  }
  const points: Record<string, [number, number]> = {};
  for (const country of featuresOf(fine)) {
    const code = codeOf(country.id);
    if (!code || shapes[code] || country.id === ANTARCTICA) continue;
    const at = projection(geoCentroid(country));
    if (at) points[code] = [Math.round(at[0]), Math.round(at[1])];
  }
  return { width: WIDTH, height: Math.ceil(path.bounds(whole)[1][1]), shapes, points };
}

type Countries = Topology<{ countries: GeometryCollection }>;

async function countries(scale: "110m" | "50m"): Promise<Countries> {
  const file = createRequire(import.meta.url).resolve(`world-atlas/countries-${scale}.json`);
  return JSON.parse(await readFile(file, "utf8")) as Countries;
}

const featuresOf = (topology: Countries) => feature(topology, topology.objects.countries).features;

/** "410" to "KR": a numeric region in a language tag has its letters as canonical form (UTS #35, territory aliases). */
function codeOf(id: string | number | undefined): string | undefined {
  if (id === undefined) return undefined;
  const code = new Intl.Locale(`und-${String(id).padStart(3, "0")}`).region;
  return code && /^[A-Z]{2}$/.test(code) ? code : undefined;
}

/** Steps are written as letters, from -REACH to REACH around this one. The page reads them back (dashboard/map.ts). */
const ZERO = "O".charCodeAt(0);
const REACH = 40;

type Step = readonly [x: number, y: number];

interface Ring {
  readonly start: Step;
  /** The last one, back to the start, is the path's own `z`. */
  readonly steps: readonly Step[];
}

/**
 * The same outline by steps instead of places, each a letter for x and one for y: a quarter as long. Without corners
 * that bend nothing, and without rings that rounding made a line.
 */
function relative(path: string): string {
  const rings: Ring[] = [];
  for (const ring of path.match(/M[^Z]*Z/g) ?? []) {
    const corners = ring.slice(1, -1).split("L");
    const points = corners.map((corner) => corner.split(",").map(Number) as [number, number]);
    const steps: Step[] = [];
    for (const [i, [x, y]] of points.entries()) {
      const from = points[i - 1];
      if (!from) continue;
      const step: Step = [x - from[0], y - from[1]];
      const longer = joined(steps.at(-1), step);
      if (longer) steps[steps.length - 1] = longer;
      else if (step.some((length) => length !== 0)) steps.push(step);
    }
    if (steps.length > 1) rings.push({ start: points[0]!, steps });
  }
  const seen = rings.filter(({ steps }) => areaOf(steps) >= SPECK);
  return (seen.length > 0 ? seen : rings)
    .map(({ start, steps }, i, all) => {
      const before = all[i - 1]?.start;
      const move = before ? `m${start[0] - before[0]} ${start[1] - before[1]}` : `M${start.join(" ")}`;
      return `${move}l${steps.flat().map(letter).join("")}z`;
    })
    .join("");
}

/** By the shoelace formula, the outline beginning in the origin. */
function areaOf(steps: readonly Step[]): number {
  let [x, y, twice] = [0, 0, 0];
  for (const [dx, dy] of steps) {
    twice += x * dy - y * dx;
    x += dx;
    y += dy;
  }
  return Math.abs(twice) / 2;
}

/** One step in place of two in the same direction; undefined where they are not, or too long for a letter. */
function joined([ax, ay]: Step = [0, 0], [bx, by]: Step): Step | undefined {
  const isStraight = ax * by === ay * bx && ax * bx + ay * by > 0;
  const [x, y] = [ax + bx, ay + by];
  return isStraight && Math.max(Math.abs(x), Math.abs(y)) <= REACH ? [x, y] : undefined;
}

function letter(length: number): string {
  if (Math.abs(length) > REACH) throw new RangeError(`a step of ${length}, and a letter reaches ${REACH}`);
  return String.fromCharCode(ZERO + length);
}
