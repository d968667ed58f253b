/** The three deployments whose templates are looked at; one synthesis of each for all files beside this one. */
import { rmSync } from "node:fs";
import { afterAll } from "vitest";
import { synthesise } from "../synth.ts";

export const cloud = synthesise({ validate: true });
export const { template } = cloud;
/** With options that change what is there. */
export const chosen = synthesise({
  validate: true,
  context: {
    reserveConcurrency: "true",
    shards: "3",
    auth: "cognito",
    alarmEmail: "ops@example.com",
    enhancedFanOut: "true",
    latenessSeconds: "300",
    retentionHours: "168",
    sites: "shop.example@Asia/Seoul,blog.example",
    direct: "false",
    scriptPath: "/stats/s.js",
    ingestPath: "/stats/e",
  },
});
/** With all that can be added: every alarm that there is. */
export const full = synthesise({
  validate: true,
  context: {
    shards: "on-demand",
    reserveConcurrency: "true",
    imports: "true",
    archive: "true",
    firewall: "true",
    budget: "60",
    tracing: "all",
  },
});
afterAll(() => {
  for (const { outdir } of [cloud, chosen, full]) rmSync(outdir, { recursive: true, force: true });
});

/** Resources of a type that are ours, and none of the library's own. */
export const ours = (type: string) => cloud.of(type).filter(([id]) => id.startsWith("Rivulet"));
