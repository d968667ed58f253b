/**
 * Optional: how often the page's scripts fail, by class. No message, no stack and no address leave the page, because all
 * three hold what visitors typed.
 */
import { on } from "./guard.ts";

/** One loop that fails must not drown the rest. */
const MAX_REPORTS = 20;
/** Class names as engines and libraries write them; anything else could be data. */
const CLASS = /^[A-Z]\w{1,39}$/;

let reports = 0;

/** `kind`: `error`, `rejection`, or `resource` for an image, script or style that did not load. */
const report = (kind: string, type: string): void => {
  if (reports++ < MAX_REPORTS) window.rivulet?.("error", { props: { kind, type }, interactive: false });
};

const classOf = (error: unknown): string => {
  const { name } = Object(error);
  return CLASS.test(name) ? name : "Unknown";
};

on("error", (event: ErrorEvent) => {
  const { target, error } = event;
  if (target instanceof Element) report("resource", target.localName);
  // A script of another origin without CORS tells nothing but that it failed.
  else report("error", error ? classOf(error) : "Foreign");
});
on("unhandledrejection", ({ reason }: PromiseRejectionEvent) => report("rejection", classOf(reason)));
