/** Reads JSON lines: batches of our own collector, reports in Plausible's form, GA4 events as BigQuery exports them, and rows with named fields. */
import { LIMITS, type WireBatch } from "../../model/event.ts";
import { isObject, parseJson } from "../decode/checks.ts";
import { type ChunkParser, eachLine, type ImportOptions, type RowSink } from "./row.ts";
import {
  areRequests,
  type Columns,
  columnsOf,
  type Mapping,
  mappedColumns,
  takeRow,
  timeOf,
} from "./table.ts";

/** `mapping` names fields of the objects; nested ones as `a.b`. */
export function ndjsonParser(options: ImportOptions, mapping?: Mapping): ChunkParser {
  // Lines of one file have few sets of fields.
  const known = new Map<string, Columns>();
  // An object leaves out what it has nothing for.
  const mapped = mappedNames(mapping);
  const columns = ({ fields, parameters }: Flat): Columns => {
    const [names, others] = [Object.keys(fields), Object.keys(parameters)];
    const key = `${names.join("\u0000")}\u0001${others.join("\u0000")}`;
    let found = known.get(key);
    if (!found) {
      found = columnsOf(names, mapping, [...others, ...mapped]);
      if (known.size < 1_000) known.set(key, found);
    }
    return found;
  };
  return (chunk, sink) => {
    eachLine(chunk, (line, number) => {
      const raw = parseJson(line);
      if (!isObject(raw)) {
        sink.bad(number, "line: not a JSON object");
        return;
      }
      if (!mapping && Array.isArray(raw.e) && typeof raw.s === "string")
        return takeBatch(number, raw as unknown as WireBatch, sink);
      const flat = flatOf(raw, mapping);
      const { fields, parameters } = flat;
      let known: Columns;
      try {
        known = columns(flat);
      } catch {
        // What it would say names the fields of the line, and reports hold nothing of it.
        return sink.bad(number, "fields: none tells the time, or none the page: name them with --map");
      }
      takeRow(number, known, (name) => fields[name] ?? parameters[name], options, sink);
    });
  };
}

/** Whether it is a log: what its first line is that can be read. `head`: how it begins. */
export function areJsonRequests(head: string, mapping?: Mapping): boolean {
  for (const line of head.split("\n")) {
    const raw = parseJson(line);
    if (!isObject(raw)) continue;
    const { fields } = flatOf(raw, mapping);
    try {
      return areRequests(columnsOf(Object.keys(fields), mapping, mappedNames(mapping)));
    } catch {
      // Servers write of other things too, which tell no page.
    }
  }
  return false;
}

/** A batch of our own collector. Its events need times: there is no server's clock that could correct them. */
function takeBatch(line: number, batch: WireBatch, sink: RowSink): void {
  if (batch.e.length > LIMITS.eventsPerBatch) {
    sink.bad(line, `e: over ${LIMITS.eventsPerBatch} events`);
    return;
  }
  for (const [i, event] of batch.e.entries()) {
    if (!isObject(event)) {
      sink.bad(line, `e[${i}]: not an object`);
      continue;
    }
    const at = timeOf(event.t ?? batch.t);
    if (at === undefined) {
      sink.bad(line, `e[${i}].t: not a time in epoch milliseconds`);
      continue;
    }
    const { $, ms, sd, m } = event;
    const hasExtra = $ != null || ms != null || sd != null || m != null;
    sink.row(line, {
      at,
      ip: "",
      agent: "",
      url: event.u ?? batch.c?.u ?? "",
      referrer: event.r ?? batch.c?.r ?? "",
      kind: {
        n: event.n,
        ...(event.p ? { p: event.p } : {}),
        ...(event.i === undefined ? {} : { i: event.i }),
      },
      visitor: batch.v ?? "",
      language: batch.c?.l ?? "",
      width: batch.c?.w ?? 0,
      extra: hasExtra
        ? { ...($ && { $ }), ...(ms != null && { ms }), ...(sd != null && { sd }), ...(m && { m }) }
        : undefined,
    });
  }
}

/** A report of Plausible's tracker with its short names spelled out; anything else as it is. */
function inFull(raw: Record<string, unknown>): Record<string, unknown> {
  if (typeof raw.n !== "string" || typeof raw.u !== "string") return raw;
  const { m, meta, p, props, $, revenue, e, sd, w, i, ...rest } = raw;
  // Older trackers put JSON text into JSON.
  const object = (value: unknown): unknown => (typeof value === "string" ? parseJson(value) : value);
  return {
    ...rest,
    props: object(m ?? meta ?? p ?? props),
    revenue: object($ ?? revenue),
    engaged_ms: e,
    scroll_depth: sd,
    screen_width: w,
    interactive: i,
  };
}

/** What an object says; its own fields come before parameters, which may be called like them and mean something else. */
interface Flat {
  readonly fields: Record<string, unknown>;
  readonly parameters: Record<string, unknown>;
}

const mappedNames = (mapping: Mapping = {}): string[] => mappedColumns(mapping).map(([, column]) => column);

const flatOf = (raw: Record<string, unknown>, mapping: Mapping | undefined): Flat =>
  flattened(mapping ? raw : inFull(raw));

/** Objects in objects; what lies deeper is left out, before there is no room on the stack. */
const MAX_DEPTH = 32;

/** Nested objects as `a.b`, a list of one text as that text (Caddy's headers), and BigQuery's lists of parameters (`[{key, value: {string_value}}]`) by their keys. */
function flattened(raw: Record<string, unknown>): Flat {
  const into: Flat = { fields: {}, parameters: {} };
  const take = (object: Record<string, unknown>, prefix: string, depth: number): void => {
    for (const [key, value] of Object.entries(object)) {
      if (Array.isArray(value)) {
        if (value.length === 1 && typeof value[0] === "string") into.fields[prefix + key] = value[0];
        else takeParameters(value, into.parameters);
      } else if (!isObject(value)) into.fields[prefix + key] = value;
      else if (depth < MAX_DEPTH) take(value, `${prefix}${key}.`, depth + 1);
    }
  };
  take(raw, "", 1);
  return into;
}

function takeParameters(list: readonly unknown[], into: Record<string, unknown>): void {
  for (const item of list) {
    if (!isObject(item) || typeof item.key !== "string" || !isObject(item.value)) continue;
    const value = Object.values(item.value).find((one) => one !== null && one !== undefined);
    into[item.key] ??= value;
  }
}
