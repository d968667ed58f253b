/** What the types of `rivulet/collector` allow and refuse; the type check is the test. */
import { consent, init, page, track } from "rivulet/collector";

export function allowed(): void {
  init({ site: "example.com", url: "https://stats.example.com" });
  init({ site: "a", url: "b", identity: "local", params: ["q"], with: ["vitals"], before: (event) => event });
  init({ site: "a", url: "b", before: ({ n }) => (n === "x" ? undefined : { n }) });
  track("signup", { props: { plan: "pro", seats: 3, trial: true } });
  track("paid", { revenue: { amount: "12.50", currency: "USD" }, interactive: false });
  page();
  page("/step-2");
  consent(true);
}

export function refused(): void {
  // @ts-expect-error a site is needed
  init({ url: "https://stats.example.com" });
  // @ts-expect-error the only place for an identity
  init({ site: "a", url: "b", identity: "cookie" });
  // @ts-expect-error no such chunk
  init({ site: "a", url: "b", with: ["heatmap"] });
  // @ts-expect-error properties are flat
  track("signup", { props: { plan: { name: "pro" } } });
  // @ts-expect-error an amount has a currency
  track("paid", { revenue: { amount: 1 } });
  // @ts-expect-error yes or no
  consent("yes");
}
