/** The newest events of a site, for those who watch it live. */
import { VISIT_DIMENSIONS } from "../model/dimensions.ts";
import type { ClickEvent } from "../model/event.ts";
import type { EpochMs } from "../model/time.ts";
import type { ByteReader, ByteWriter } from "../sketches/bytes.ts";
import type { TextReader, TextWriter } from "./texts.ts";

/** An event as the live feed shows it; nothing in it tells who it was. */
export interface FeedEntry {
  readonly at: EpochMs;
  readonly name: string;
  readonly page: string;
  readonly source: string;
  readonly country: string;
  readonly device: string;
  readonly browser: string;
  /** Id of the trace that its request is part of, where that was sampled. */
  readonly trace?: string;
}
/** Of a site, and so of each commit: it may be the only one. */
export const MAX_FEED = 20;

/** The newest events. They are described when they are written: most are pushed out before. */
export class Feed {
  readonly #events: ClickEvent[] = [];
  readonly #attributes: (readonly string[])[] = [];
  readonly #traces: (string | undefined)[] = [];
  #pushed = 0;

  push(event: ClickEvent, attributes: readonly string[], trace: string | undefined): void {
    const at = this.#pushed++ % MAX_FEED;
    this.#events[at] = event;
    this.#attributes[at] = attributes;
    this.#traces[at] = trace;
  }

  /** Oldest first. */
  entries(): FeedEntry[] {
    const entries: FeedEntry[] = [];
    for (let i = Math.max(0, this.#pushed - MAX_FEED); i < this.#pushed; i++) {
      const at = i % MAX_FEED;
      const event = this.#events[at]!;
      const attributes = this.#attributes[at]!;
      const trace = this.#traces[at];
      entries.push({
        at: event.at,
        name: event.name,
        page: event.url.path,
        source: attributes[SOURCE] ?? "",
        country: attributes[COUNTRY] ?? "",
        device: attributes[DEVICE] ?? "",
        browser: attributes[BROWSER] ?? "",
        ...(trace === undefined ? {} : { trace }),
      });
    }
    return entries;
  }
}

/** Writes entries; most of their texts stand in the commit anyway. */
export function encodeFeed(entries: readonly FeedEntry[], writer: ByteWriter, texts: TextWriter): void {
  writer.varint(entries.length);
  let previous = 0;
  for (const { at, name, page, source, country, device, browser, trace = "" } of entries) {
    writer.signed(at - previous);
    previous = at;
    for (const text of [name, page, source, country, device, browser, trace])
      writer.varint(texts.numberOf(text));
  }
}

export function decodeFeed(reader: ByteReader, texts: TextReader): FeedEntry[] {
  const text = (): string => texts.textOf(reader.varint());
  const entries: FeedEntry[] = [];
  let at = 0;
  for (let left = reader.varint(); left > 0; left--) {
    at += reader.signed();
    const shown = {
      name: text(),
      page: text(),
      source: text(),
      country: text(),
      device: text(),
      browser: text(),
    };
    const trace = text();
    entries.push({ at, ...shown, ...(trace === "" ? {} : { trace }) });
  }
  return entries;
}

const SOURCE = VISIT_DIMENSIONS.indexOf("visit:source");
const COUNTRY = VISIT_DIMENSIONS.indexOf("visit:country");
const DEVICE = VISIT_DIMENSIONS.indexOf("visit:device");
const BROWSER = VISIT_DIMENSIONS.indexOf("visit:browser");
