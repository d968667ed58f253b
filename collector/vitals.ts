/** Optional: how the page felt, by Google's own measure of web vitals, told when it goes out of view. */
import { type MetricType, onCLS, onFCP, onINP, onLCP, onTTFB } from "web-vitals";
import type { WireEvent } from "../processors/model/event.ts";

/** By the id that the library gives each page view's metric, so that every metric is told once, with its final value. */
const measured = new Map<string, MetricType | undefined>();

const note = (metric: MetricType): void => {
  if (!measured.has(metric.id) || measured.get(metric.id)) measured.set(metric.id, metric);
};

for (const watch of [onCLS, onFCP, onINP, onLCP, onTTFB]) watch(note);

/** All that is known and not told yet, as one event. */
const tell = (): void => {
  if (!document.hidden) return;
  const m: WireEvent["m"] = {};
  for (const [id, metric] of measured) {
    if (metric) m[metric.name.toLowerCase() as keyof typeof m] = metric.value;
    measured.set(id, undefined);
  }
  if (Object.keys(m).length) window.rivulet?.("vitals", { m });
};

// Not capturing, hence after the library's own listeners, which look at what is pending.
addEventListener("visibilitychange", tell);
