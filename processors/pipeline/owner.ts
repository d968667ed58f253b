/** What concerns a site besides its numbers: its settings, its share links, and what reached the server for it. Knows no HTTP. */
import { ClickstreamError } from "../errors.ts";
import { PROPS_PREFIX } from "../model/dimensions.ts";
import { LIMITS } from "../model/event.ts";
import { DAY_MS, type EpochMs, MINUTE_MS } from "../model/time.ts";
import type { Alert } from "../notifiers/notifier.ts";
import {
  createGrant,
  type Grant,
  type GrantDeps,
  isLabel,
  listGrants,
  MAX_LABEL_CHARS,
  MAX_SHARE_DAYS,
  type Reader,
  removeGrant,
} from "./access.ts";
import { recentAlerts } from "./alerts/watch.ts";
import { readEdition } from "./editions.ts";
import { bad } from "./fields.ts";
import { decodeItem, type Granularity, partition } from "./rollups.ts";
import { type Funnel, type Goal, readSettings, saveSettings } from "./settings.ts";
import { SiteDirectory } from "./sites.ts";

export interface AboutSite {
  readonly site_id: string;
  readonly version: number;
  readonly goals: readonly Goal[];
  readonly funnels: readonly Funnel[];
  /** Whether who asked may change them. */
  readonly may_write: boolean;
  /** Whether questions beyond rollups have an answer. */
  readonly has_archive: boolean;
  /** Keys of the properties that events had lately. */
  readonly properties: readonly string[];
  /** Input refused in the last 30 minutes, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
  /** Site ids of requests that no site has; only for who may write. */
  readonly unknown_sites?: readonly { readonly site_id: string; readonly at: EpochMs }[];
  /** When the last request for the site came, null for none; absent where requests are not seen. */
  readonly last_request_at?: EpochMs | null;
}

export interface ShareSummary {
  readonly id: string;
  readonly label: string;
  readonly created_at: EpochMs;
  readonly expires_at: EpochMs;
}

/** The newest requests, where the one who answers sees them. */
export interface RecentRequests {
  /** The site that each named, newest first. */
  sites(): readonly { readonly site: string; readonly at: EpochMs }[];
}

export interface OwnerDeps extends GrantDeps {
  /** Of the last 30 minutes. Throws `not_found` for a site that is not registered. */
  readonly rejected: (siteId: string) => Promise<Readonly<Record<string, number>>>;
  readonly recent?: RecentRequests;
  /** Whether an archive answers what rollups cannot. */
  readonly hasArchive: boolean;
}

const MAX_SHARES = 100;
const MAX_UNKNOWN = 5;
/** Rollups looked at for property keys: the newest hours, and minutes that no hour holds yet. */
const LATEST: readonly (readonly [Granularity, number])[] = [
  ["hour", 24],
  ["minute", 5],
];
const REMEMBER_MS = MINUTE_MS;

/** All throw `bad_request` naming the field, `forbidden`, or `not_found`. */
export class OwnerApi {
  readonly #deps: OwnerDeps;
  readonly #sites: SiteDirectory;
  readonly #properties = new Map<string, { readonly at: EpochMs; readonly keys: readonly string[] }>();

  constructor(deps: OwnerDeps) {
    this.#deps = deps;
    this.#sites = new SiteDirectory(deps);
  }

  async about(reader: Reader, siteId: string | null | undefined): Promise<AboutSite> {
    const site = await this.#site(reader, siteId);
    const { store, rejected, recent } = this.#deps;
    const mayWrite = reader.mayWrite(site);
    const settings = await readSettings(store, site);
    const seen = recent?.sites() ?? [];
    return {
      site_id: site,
      ...settings,
      may_write: mayWrite,
      has_archive: this.#deps.hasArchive,
      properties: await this.#propertiesOf(site),
      rejected: await rejected(site),
      ...(recent ? { last_request_at: seen.find((one) => one.site === site)?.at ?? null } : {}),
      ...(recent && mayWrite ? { unknown_sites: await this.#unknown(seen) } : {}),
    };
  }

  /** What its rules found lately. */
  async alerts(
    reader: Reader,
    siteId: string | null | undefined,
  ): Promise<{ readonly alerts: readonly Alert[] }> {
    const site = await this.#site(reader, siteId);
    return { alerts: await recentAlerts(this.#deps, site) };
  }

  /** Replaces goals and funnels. */
  async save(reader: Reader, body: unknown): Promise<AboutSite> {
    const site = await this.#writable(reader, siteOf(body));
    await saveSettings(this.#deps.store, site, body);
    return this.about(reader, site);
  }

  /** The share links that work, oldest first. */
  async shares(reader: Reader, siteId: string | null | undefined): Promise<{ shares: ShareSummary[] }> {
    const site = await this.#writable(reader, siteId);
    const grants = await listGrants(this.#deps, site);
    return { shares: grants.filter(({ kind }) => kind === "share").map(summary) };
  }

  /** Makes a share link. The token is in no other answer. */
  async addShare(reader: Reader, body: unknown): Promise<ShareSummary & { token: string }> {
    const site = await this.#writable(reader, siteOf(body));
    const { days, label } = body as { days?: unknown; label?: unknown };
    if (!Number.isInteger(days) || (days as number) < 1 || (days as number) > MAX_SHARE_DAYS)
      bad(`days: 1 to ${MAX_SHARE_DAYS}`);
    if (label !== undefined && !isLabel(label))
      return bad(`label: text of at most ${MAX_LABEL_CHARS} characters`);
    if ((await this.shares(reader, site)).shares.length >= MAX_SHARES)
      bad(`site_id: has ${MAX_SHARES} share links; take some back first`);
    const { grant, token } = await createGrant(this.#deps, {
      kind: "share",
      site,
      lifeMs: (days as number) * DAY_MS,
      ...(label ? { label } : {}),
    });
    return { ...summary(grant), token };
  }

  async removeShare(
    reader: Reader,
    siteId: string | null | undefined,
    id: string | null | undefined,
  ): Promise<object> {
    const site = await this.#writable(reader, siteId);
    if (!(await removeGrant(this.#deps.store, { id: id ?? "", site, kind: "share" })))
      throw new ClickstreamError("not_found", "id: no such share link");
    return {};
  }

  async #writable(reader: Reader, siteId: unknown): Promise<string> {
    const site = await this.#site(reader, siteId);
    if (!reader.mayWrite(site))
      throw new ClickstreamError(
        "forbidden",
        "site_id: reading is allowed, changing needs a key that may write",
      );
    return site;
  }

  /** What may be read, and then whether it exists: who may not read a site learns nothing of it. */
  async #site(reader: Reader, siteId: unknown): Promise<string> {
    if (typeof siteId !== "string" || siteId === "") return bad("site_id: required");
    reader.check(siteId);
    return (await this.#sites.site(siteId, "site_id")).id;
  }

  async #propertiesOf(site: string): Promise<readonly string[]> {
    const { store, clock } = this.#deps;
    const now = clock.now();
    const known = this.#properties.get(site);
    if (known && now - known.at < REMEMBER_MS && known.keys.length > 0) return known.keys;
    const keys = new Set<string>();
    const { space } = await readEdition(store, site);
    for (const [granularity, limit] of LATEST)
      for (const item of await store.list(partition(granularity, space), { limit, reverse: true }))
        for (const dimension of decodeItem(item).rollup?.dimensions ?? [])
          if (dimension.startsWith(PROPS_PREFIX)) keys.add(dimension.slice(PROPS_PREFIX.length));
    const sorted = [...keys].sort();
    this.#properties.set(site, { at: now, keys: sorted });
    return sorted;
  }

  async #unknown(
    seen: readonly { readonly site: string; readonly at: EpochMs }[],
  ): Promise<{ site_id: string; at: EpochMs }[]> {
    const sites = await this.#sites.all();
    const unknown = new Map<string, EpochMs>();
    for (const { site, at } of seen) if (!sites.has(site) && !unknown.has(site)) unknown.set(site, at);
    return [...unknown]
      .slice(0, MAX_UNKNOWN)
      .map(([site, at]) => ({ site_id: site.slice(0, LIMITS.siteChars), at }));
  }
}

const siteOf = (body: unknown): unknown => (body as { site_id?: unknown } | null | undefined)?.site_id;

const summary = ({ id, label, createdAt, expiresAt }: Grant): ShareSummary => ({
  id,
  label: label ?? "",
  created_at: createdAt,
  expires_at: expiresAt ?? 0,
});
